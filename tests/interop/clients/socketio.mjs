// Socket.IO's Redis adapters between two server processes' worth of state: node socketio.mjs PORT DIALECT
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { run } from "./cases.mjs";

const port = Number(process.argv[2]);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function node(adapter) {
  const publisher = createClient({ socket: { port, host: "127.0.0.1" } });
  const listener = publisher.duplicate();
  await Promise.all([publisher.connect(), listener.connect()]);
  const http = createServer();
  const server = new Server(http, { adapter: adapter(publisher, listener) });
  server.on("connection", (socket) => socket.on("join", (room, done) => done(socket.join(room))));
  await new Promise((done) => http.listen(0, done));
  const close = async () => {
    await server.close();
    await Promise.all([publisher.close(), listener.close()]);
  };
  return { server, close, url: `http://127.0.0.1:${http.address().port}` };
}

async function guest(url) {
  const socket = io(url, { transports: ["websocket"] });
  await new Promise((done) => socket.on("connect", done));
  return socket;
}

// Two nodes that know of each other only through the server, and a guest of each.
async function together(adapter, work) {
  const [one, other] = [await node(adapter), await node(adapter)];
  await pause(200);
  const guests = [await guest(one.url), await guest(other.url)];
  await work(one.server, other.server, ...guests);
  guests.forEach((socket) => socket.disconnect());
  await Promise.all([one.close(), other.close()]);
}

const hears = (socket, event) => new Promise((done) => socket.once(event, done));

async function conversation(one, other, near, far) {
  const everybody = Promise.all([hears(near, "news"), hears(far, "news")]);
  one.emit("news", "hello");
  assert.deepEqual(await everybody, ["hello", "hello"]);

  await far.emitWithAck("join", "room");
  await pause(100);
  let outside = false;
  near.once("private", () => (outside = true));
  const inside = hears(far, "private");
  one.to("room").emit("private", Buffer.from([0, 255, 13, 10]));
  assert.deepEqual([...(await inside)], [0, 255, 13, 10]);
  assert.equal(outside, false);

  assert.equal((await one.fetchSockets()).length, 2);
  const answer = new Promise((done) => other.once("question", (text, reply) => done(reply(text + "!"))));
  const answers = await one.serverSideEmitWithAck("question", "well");
  await answer;
  assert.deepEqual(answers, ["well!"]);
}

await run({
  async "broadcast, rooms, acknowledgements"() {
    await together((publisher, listener) => createAdapter(publisher, listener), conversation);
  },
  async "sharded channels"() {
    await together((publisher, listener) => createShardedAdapter(publisher, listener), conversation);
  },
}, { "broadcast, rooms, acknowledgements": ["psubscribe"], "sharded channels": ["ssubscribe"] });
