// node-redis against a server: node node_redis.mjs PORT DIALECT
import assert from "node:assert/strict";
import { createClient } from "redis";
import { run } from "./cases.mjs";

const [port, dialect] = process.argv.slice(2).map(Number);
const open = async (options = {}) => {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: dialect, ...options });
  client.on("error", () => {});
  await client.connect();
  return client;
};

await run({
  async strings() {
    const c = await open();
    assert.equal(await c.set("s", "value", { EX: 100 }), "OK");
    assert.equal(await c.get("s"), "value");
    assert.equal(await c.set("s", "x", { NX: true }), null);
    assert.ok((await c.ttl("s")) > 0);
    assert.deepEqual([await c.incrBy("n", 5), await c.decr("n")], [5, 4]);
    await c.mSet({ a: "1", b: "2" });
    assert.deepEqual(await c.mGet(["a", "none", "b"]), ["1", null, "2"]);
    assert.equal(await c.getDel("s"), "value");
    assert.equal(Number(await c.incrByFloat("f", 1.5)), 1.5);
    await c.close();
  },
  async keys() {
    const c = await open();
    await c.flushDb();
    for (let n = 0; n < 300; n++) c.set(`key:${n}`, String(n));
    const seen = new Set();
    for await (const keys of c.scanIterator({ MATCH: "key:*", COUNT: 20 })) {
      for (const key of [].concat(keys)) seen.add(key);
    }
    assert.equal(seen.size, 300);
    assert.equal(await c.dbSize(), 300);
    assert.equal(await c.rename("key:1", "one"), "OK");
    assert.equal(await c.exists(["one", "key:1"]), 1);
    assert.equal(await c.del(["one", "key:2"]), 2);
    assert.equal(await c.expire("key:3", 100), 1);
    assert.equal(await c.type("key:3"), "string");
    await c.close();
  },
  async "pipelined by default"() {
    const c = await open();
    const replies = await Promise.all(Array.from({ length: 2000 }, () => c.incr("counter")));
    assert.deepEqual(replies, replies.toSorted ? replies.toSorted((a, b) => a - b) : replies);
    assert.equal(replies.at(-1), 2000);
    assert.equal((await c.multi().set("x", "1").incr("x").execAsPipeline()).at(-1), 2);
    await c.close();
  },
  async transactions() {
    const c = await open();
    assert.deepEqual(await c.multi().set("t", "1").incr("t").exec(), ["OK", 2]);
    await c.close();
  },
  async server() {
    const c = await open({ name: "interop" });
    assert.equal(await c.ping(), "PONG");
    assert.equal(await c.clientGetName(), "interop");
    assert.match(await c.info("server"), /redis_version:/);
    const list = await c.clientList();
    assert.ok(list.some((client) => client.name === "interop"));
    const config = await c.configGet("maxmemory");
    assert.equal(config.maxmemory, "0");
    await c.close();
  },
  async errors() {
    const c = await open();
    await c.set("word", "abc");
    await assert.rejects(c.incr("word"), /not an integer/);
    await assert.rejects(c.sendCommand(["NOSUCH"]), /unknown command/);
    assert.equal(await c.get("word"), "abc");
    await c.close();
  },
  async databases() {
    const c = await open({ database: 4 });
    await c.set("four", "1");
    const zero = await open();
    assert.equal(await zero.get("four"), null);
    await c.close();
    await zero.close();
  },
  async messages() {
    const listener = await open();
    const got = new Promise((done) => listener.subscribe("news", done));
    const c = await open();
    await new Promise((done) => setTimeout(done, 100));
    assert.equal(await c.publish("news", "hello"), 1);
    assert.equal(await got, "hello");
    await c.close();
    await listener.close();
  },
}, { transactions: ["multi"], messages: ["subscribe"] });
