// ioredis against a server: node ioredis.mjs PORT DIALECT
import assert from "node:assert/strict";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import Redlock from "redlock";
import { run } from "./cases.mjs";

const port = Number(process.argv[2]);
const open = (options = {}) => new Redis({ port, host: "127.0.0.1", ...options });

await run({
  async strings() {
    const c = open();
    assert.equal(await c.set("s", "value", "EX", 100), "OK");
    assert.equal(await c.get("s"), "value");
    assert.equal(await c.set("s", "x", "NX"), null);
    assert.deepEqual(await c.mget("s", "none"), ["value", null]);
    assert.equal(await c.incrby("n", 5), 5);
    assert.equal(await c.getex("s", "PERSIST"), "value");
    assert.deepEqual(await c.getBuffer("s"), Buffer.from("value"));
    await c.quit();
  },
  async keys() {
    const c = open();
    await c.flushdb();
    const pipeline = c.pipeline();
    for (let n = 0; n < 300; n++) pipeline.set(`key:${n}`, n);
    await pipeline.exec();
    const seen = new Set();
    for await (const keys of c.scanStream({ match: "key:*", count: 20 })) keys.forEach((key) => seen.add(key));
    assert.equal(seen.size, 300);
    assert.equal(await c.unlink("key:1", "key:2", "none"), 2);
    await c.quit();
  },
  async "auto pipelining"() {
    const c = open({ enableAutoPipelining: true });
    await c.del("counter");
    const replies = await Promise.all(Array.from({ length: 2000 }, () => c.incr("counter")));
    assert.equal(Math.max(...replies), 2000);
    await c.quit();
  },
  async transactions() {
    const c = open();
    assert.deepEqual(await c.multi().set("t", 1).incr("t").exec(), [[null, "OK"], [null, 2]]);
    await c.quit();
  },
  async "ready check and names"() {
    const c = open({ connectionName: "interop", db: 3 });
    await new Promise((done) => c.once("ready", done));
    assert.equal(await c.client("GETNAME"), "interop");
    assert.match(await c.client("INFO"), /db=3/);
    await c.quit();
  },
  async "reconnects after being killed"() {
    const c = open();
    const id = await c.client("ID");
    const other = open();
    assert.equal(await other.client("KILL", "ID", id), 1);
    assert.equal(await c.set("again", 1), "OK");
    await c.quit();
    await other.quit();
  },
  async errors() {
    const c = open();
    await c.set("word", "abc");
    await assert.rejects(c.incr("word"), /not an integer/);
    await assert.rejects(c.call("NOSUCH"), /unknown command/);
    await c.quit();
  },
  async scripts() {
    const c = open();
    c.defineCommand("double", { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) * 2" });
    await c.set("half", 21);
    assert.equal(await c.double("half"), 42);
    await c.quit();
  },
  async "a lock of Redlock"() {
    const c = open();
    const redlock = new Redlock([c], { retryCount: 0 });
    const lock = await redlock.lock("lock", 5000);
    await assert.rejects(redlock.lock("lock", 5000));
    await lock.extend(5000);
    await lock.unlock();
    await (await redlock.lock("lock", 1000)).unlock();
    await c.quit();
  },
  async "queues of BullMQ"() {
    const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
    const queue = new Queue("interop", { connection });
    await queue.obliterate({ force: true });
    const seen = [];
    const worker = new Worker("interop", async (job) => {
      seen.push(job.name);
      if (job.name === "fails") throw new Error("as it should");
      return job.data.n * 2;
    }, { connection });
    const events = new QueueEvents("interop", { connection });
    await events.waitUntilReady();
    const now = await queue.add("now", { n: 21 });
    const later = await queue.add("later", { n: 1 }, { delay: 300 });
    const first = await queue.add("first", { n: 2 }, { priority: 1 });
    const fails = await queue.add("fails", {}, { attempts: 2, backoff: 50 });
    assert.equal(await now.waitUntilFinished(events), 42);
    assert.equal(await first.waitUntilFinished(events), 4);
    assert.equal(await later.waitUntilFinished(events), 2);
    await assert.rejects(fails.waitUntilFinished(events), /as it should/);
    assert.equal(seen.filter((name) => name === "fails").length, 2);
    const flow = new FlowProducer({ connection });
    const tree = await flow.add({
      name: "parent", queueName: "interop", data: { n: 5 },
      children: [{ name: "child", queueName: "interop", data: { n: 6 } }],
    });
    assert.equal(await tree.job.waitUntilFinished(events), 10);
    assert.deepEqual(Object.values(await tree.job.getChildrenValues()), [12]);
    const counts = await queue.getJobCounts();
    assert.equal(counts.completed, 5);
    assert.equal(counts.failed, 1);
    for (const part of [worker, events, queue, flow]) await part.close();
  },
  async "repeated jobs of BullMQ"() {
    const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
    const queue = new Queue("repeated", { connection });
    await queue.obliterate({ force: true });
    const times = [];
    let enough;
    const thrice = new Promise((done) => (enough = done));
    const worker = new Worker("repeated", async (job) => {
      times.push(Date.now());
      if (times.length === 3) enough();
      return job.data.n;
    }, { connection });
    await queue.upsertJobScheduler("tick", { every: 200 }, { name: "tick", data: { n: 3 } });
    await thrice;
    const passed = times[2] - times[0];
    assert.ok(passed >= 300 && passed < 3000, `three jobs within ${passed} ms`);
    const [scheduler] = await queue.getJobSchedulers();
    assert.equal(scheduler.key, "tick");
    assert.equal(scheduler.every, 200);
    assert.equal(await queue.removeJobScheduler("tick"), true);
    assert.equal(await queue.getJobSchedulersCount(), 0);
    await queue.upsertJobScheduler("hourly", { pattern: "0 0 * * * *" }, { name: "hourly", data: {} });
    assert.equal((await queue.getDelayed()).length, 1);
    await queue.obliterate({ force: true });
    for (const part of [worker, queue]) await part.close();
  },
  async messages() {
    const listener = open();
    await listener.subscribe("news");
    const got = new Promise((done) => listener.once("message", (_, text) => done(text)));
    const c = open();
    assert.equal(await c.publish("news", "hello"), 1);
    assert.equal(await got, "hello");
    await c.quit();
    await listener.quit();
  },
  async "patterns and shards"() {
    const listener = open();
    await listener.psubscribe("room:*");
    assert.equal(await listener.ssubscribe("shard"), 1);
    const got = [];
    const all = new Promise((done) => {
      const note = (...words) => got.push(words) === 3 && done();
      listener.on("pmessage", note);
      listener.on("smessage", note);
    });
    const c = open();
    assert.equal(await c.publish("room:1", "one"), 1);
    assert.equal(await c.spublish("shard", "two"), 1);
    assert.equal(await c.publish("room:2", "three"), 1);
    assert.equal(await c.publish("elsewhere", "four"), 0);
    await all;
    assert.deepEqual(got, [["room:*", "room:1", "one"], ["shard", "two"], ["room:*", "room:2", "three"]]);
    await listener.punsubscribe();
    assert.equal(await c.publish("room:1", "five"), 0);
    await listener.quit();
    await c.quit();
  },
  async "subscriptions outlive a lost connection"() {
    const listener = open();
    await listener.subscribe("again");
    const c = open();
    assert.equal(await c.client("KILL", "TYPE", "PUBSUB"), 1);
    const got = new Promise((done) => listener.once("message", (_, text) => done(text)));
    while ((await c.publish("again", "here")) === 0) await new Promise((done) => setTimeout(done, 20));
    assert.equal(await got, "here");
    await listener.quit();
    await c.quit();
  },
  async "keyspace notifications"() {
    const c = open();
    await c.config("SET", "notify-keyspace-events", "Ex");
    const listener = open();
    await listener.subscribe("__keyevent@0__:expired");
    const started = Date.now();
    const got = new Promise((done) => listener.once("message", (_, key) => done([key, Date.now() - started])));
    await c.set("short", 1, "PX", 50);
    const [key, passed] = await got;
    assert.equal(key, "short");
    assert.ok(passed >= 49 && passed < 500, `expired after ${passed} ms`);
    await c.config("SET", "notify-keyspace-events", "");
    await listener.quit();
    await c.quit();
  },
}, { transactions: ["multi"], scripts: ["evalsha"], "a lock of Redlock": ["evalsha"],
  "queues of BullMQ": ["evalsha", "hset", "zadd", "xadd", "bzpopmin", "lpush", "sadd"],
  "repeated jobs of BullMQ": ["evalsha", "hset", "zadd", "xadd", "bzpopmin", "lpush", "sadd"], messages: ["subscribe"], "patterns and shards": ["ssubscribe"],
  "subscriptions outlive a lost connection": ["subscribe"], "keyspace notifications": ["subscribe"] });
