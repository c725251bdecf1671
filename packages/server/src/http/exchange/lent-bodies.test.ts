/** Bodies whose pieces are lent: memory that somebody may still read is never used for somebody else's bytes. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { KIB, MIB } from "@ashlar/sdk/limits";
import { afterEach, describe, expect, it } from "vitest";
import { createBufferPool } from "../buffer-pool.ts";
import { createHttpListener, type HttpListener } from "../connection/listener.ts";
import { toFetchHandler } from "../fetch-handler.ts";
import type { HttpHandler } from "../http-handler.ts";
import { begun, type Piece } from "../piece.ts";

const BUFFER = 256 * KIB;
/** More than the kernel takes for a client that reads nothing. */
const PIECES = 64;

let listener: HttpListener | undefined;

afterEach(async () => {
  await listener?.close({ graceMs: 0 });
  listener = undefined;
});

/** Answers `/n` with bytes that are all `n`, in pieces that are lent; counts what is lent and how many bodies are still read. */
function lending() {
  const pool = createBufferPool({ bufferBytes: BUFFER, idleMax: 100 });
  const taken = new Set<Uint8Array>();
  const counts = { running: 0, taken: 0 };
  async function* pieces(value: number): AsyncGenerator<Piece, void, undefined> {
    counts.running++;
    try {
      for (let index = 0; index < PIECES; index++) {
        const { bytes, giveBack } = pool.take();
        counts.taken++;
        taken.add(bytes);
        await sleep(1);
        bytes.fill(value);
        yield { bytes, byteLength: bytes.byteLength, giveBack };
      }
    } finally {
      counts.running--;
    }
  }
  const handler: HttpHandler = async ({ path }) => ({
    status: 200,
    header: new Headers({ "content-length": String(PIECES * BUFFER) }),
    body: { pieces: await begun(pieces(Number(path.slice(1)))) },
  });
  return { handler, pool, taken, counts };
}

async function listen(handler: HttpHandler): Promise<number> {
  listener = createHttpListener({ handler });
  return (await listener.listen()).port;
}

const isAll = (bytes: Uint8Array, value: number): boolean =>
  Buffer.compare(bytes, Buffer.alloc(bytes.byteLength, value)) === 0;

async function readHttp1(port: number, value: number): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`http://127.0.0.1:${port}/${value}`)).arrayBuffer());
}

async function readHttp2(port: number, value: number): Promise<Uint8Array> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ":path": `/${value}` });
  const slices: Buffer[] = [];
  for await (const slice of stream) {
    slices.push(slice as Buffer);
    if (slices.length % 32 === 0) await sleep(1);
  }
  session.close();
  return Buffer.concat(slices);
}

/** Asks, takes some bytes and stops; the rest waits at the server until it is read. */
async function stopIn(port: number, value: number): Promise<{ rest(): Promise<Uint8Array>; leave(): void }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`GET /${value} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  return {
    async rest() {
      const slices = [first];
      for await (const slice of socket) slices.push(slice as Buffer);
      const answer = Buffer.concat(slices);
      return answer.subarray(answer.indexOf("\r\n\r\n") + 4);
    },
    leave: () => socket.destroy(),
  };
}

describe.each([
  ["HTTP/1.1", readHttp1],
  ["HTTP/2", readHttp2],
])("pieces over %s", (_name, read) => {
  it("reach each reader as they were, and their memory is used again", async () => {
    const { handler, pool, taken, counts } = lending();
    const port = await listen(handler);
    for (let round = 0; round < 3; round++) {
      const values = [1, 2, 3, 4, 5].map((each) => each + round * 5);
      const answers = await Promise.all(values.map((value) => read(port, value)));
      for (const [index, bytes] of answers.entries()) {
        expect(bytes.byteLength).toBe(PIECES * BUFFER);
        expect(isAll(bytes, values[index] ?? 0)).toBe(true);
      }
    }
    expect(counts).toEqual({ running: 0, taken: 15 * PIECES });
    expect(taken.size).toBeLessThan(15 * PIECES);
    await expect.poll(() => pool.idleCount()).toBe(taken.size);
  });
});

it("memory that waits for a client that stopped in the middle is not used again until it was written", async () => {
  const { handler, pool, taken, counts } = lending();
  const port = await listen(handler);
  const slow = await Promise.all([101, 102, 103].map((value) => stopIn(port, value)));
  for (let value = 1; value <= 10; value++) expect(isAll(await readHttp1(port, value), value)).toBe(true);
  expect(counts.running).toBe(3);
  for (const [index, { rest }] of slow.entries()) {
    const bytes = await rest();
    expect(bytes.byteLength).toBe(PIECES * BUFFER);
    expect(isAll(bytes, 101 + index)).toBe(true);
  }
  await expect.poll(() => pool.idleCount()).toBe(taken.size);
});

it("memory that waited for a client that went away is never used again, and the body is closed", async () => {
  const { handler, pool, taken, counts } = lending();
  const port = await listen(handler);
  const gone = await Promise.all([101, 102, 103].map((value) => stopIn(port, value)));
  let before = -1;
  // Until the kernel takes no more of it.
  while (before !== counts.taken) {
    before = counts.taken;
    await sleep(300);
  }
  expect(counts.running).toBe(3);
  for (const { leave } of gone) leave();
  await expect.poll(() => counts.running).toBe(0);
  expect(pool.idleCount()).toBeLessThan(taken.size);
  for (let value = 1; value <= 3; value++) expect(isAll(await readHttp1(port, value), value)).toBe(true);
});

it("bodies that nobody reads are closed: HEAD, and a fetch-style server", async () => {
  const { handler, pool, counts } = lending();
  const port = await listen(handler);
  await fetch(`http://127.0.0.1:${port}/1`, { method: "HEAD" });
  await expect.poll(() => counts.running).toBe(0);
  const answer = await toFetchHandler(handler)(new Request("http://x/7"));
  const idle = pool.idleCount();
  expect(isAll(new Uint8Array(await answer.arrayBuffer()), 7)).toBe(true);
  expect(pool.idleCount()).toBeLessThanOrEqual(idle);
  const left = await toFetchHandler(handler)(new Request("http://x/8"));
  await left.body?.cancel();
  await expect.poll(() => counts.running).toBe(0);
});

describe("a pool of buffers", () => {
  it("ends a loan once, and keeps no more than it may", () => {
    const pool = createBufferPool({ bufferBytes: MIB, idleMax: 2 });
    const loans = [pool.take(), pool.take(), pool.take()];
    expect(new Set(loans.map(({ bytes }) => bytes.buffer)).size).toBe(3);
    loans[0]?.giveBack();
    loans[0]?.giveBack();
    expect(pool.idleCount()).toBe(1);
    const [next, other] = [pool.take(), pool.take()];
    expect(next.bytes).toBe(loans[0]?.bytes);
    expect(other.bytes).not.toBe(next.bytes);
    // An old loan cannot give back memory that is lent anew.
    loans[0]?.giveBack();
    expect(pool.idleCount()).toBe(0);
    for (const { giveBack } of [next, other, ...loans]) giveBack();
    expect(pool.idleCount()).toBe(2);
  });
});
