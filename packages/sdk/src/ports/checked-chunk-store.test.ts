import { describe, expect, test } from "vitest";
import { type Digest, webCryptoHasher } from "../hash/index.ts";
import { checkedChunkStore } from "./checked-chunk-store.ts";
import { type ChunkStore, isStreamingChunkStore, type StreamingChunkStore } from "./chunk-store.ts";

const BYTES = new Uint8Array([1, 2, 3]);

/** A store whose calls end when the test says so. */
function heldStore(): { inner: ChunkStore; calls: string[]; end: () => void } {
  const calls: string[] = [];
  let end = (): void => {};
  const held = new Promise<void>((resolve) => {
    end = resolve;
  });
  const call = (name: string) => async (): Promise<never> => {
    calls.push(name);
    await held;
    calls.push(`${name} ended`);
    return { sizeBytes: 3, alreadyPresent: false } as never;
  };
  const capabilities = { persistent: false, chunkMaxBytes: 10, durabilities: [] };
  const inner: ChunkStore = {
    capabilities,
    putChunk: call("putChunk"),
    getChunk: call("getChunk"),
    hasChunks: call("hasChunks"),
    deleteChunks: call("deleteChunks"),
    listChunks: call("listChunks"),
    stats: call("stats"),
    close: async () => void calls.push("close"),
  };
  return { inner, calls, end };
}

/** A signal that counts the listeners on it. */
function countedSignal(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { controller, listeners: () => count };
}

const idOf = (): Promise<Digest> => webCryptoHasher.digest(BYTES);

describe("a checked chunk store", () => {
  test("passes no illegal call to the store below", async () => {
    const { inner, calls } = heldStore();
    const store = checkedChunkStore(inner);
    const chunkId = await idOf();
    await expect(store.putChunk(chunkId, new Uint8Array(11))).rejects.toMatchObject({
      code: "OBJECT_TOO_LARGE",
      details: { sizeBytes: "11", chunkMaxBytes: "10" },
    });
    await expect(store.getChunk(chunkId, { offset: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(store.stats({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "CANCELED" });
    expect(calls).toEqual([]);
  });

  test("rejects at once on an abort, while close still waits for the call in the store below", async () => {
    const { inner, calls, end } = heldStore();
    const store = checkedChunkStore(inner);
    const controller = new AbortController();
    const put = store.putChunk(await idOf(), BYTES, { signal: controller.signal });
    const why = new Error("changed my mind");
    controller.abort(why);
    await expect(put).rejects.toMatchObject({ code: "CANCELED", cause: why });
    const closed = store.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(calls).toEqual(["putChunk"]);
    end();
    await closed;
    expect(calls).toEqual(["putChunk", "putChunk ended", "close"]);
  });

  test("leaves no listener on the signal, whether the call succeeds, fails or is aborted", async () => {
    const { inner, end } = heldStore();
    const store = checkedChunkStore(inner);
    const chunkId = await idOf();
    const used = countedSignal();
    const aborted = countedSignal();
    const call = store.putChunk(chunkId, BYTES, { signal: used.controller.signal });
    const dropped = store.getChunk(chunkId, { signal: aborted.controller.signal });
    expect(used.listeners()).toBe(1);
    aborted.controller.abort();
    await expect(dropped).rejects.toMatchObject({ code: "CANCELED" });
    end();
    await call;
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(used.listeners()).toBe(0);
    expect(aborted.listeners()).toBe(0);
  });

  test("offers streams exactly where the store below does", () => {
    const { inner } = heldStore();
    expect(isStreamingChunkStore(checkedChunkStore(inner))).toBe(false);
    const streaming: StreamingChunkStore = {
      ...inner,
      putChunkStream: async () => ({ sizeBytes: 0, alreadyPresent: false }),
    };
    expect(isStreamingChunkStore(checkedChunkStore(streaming))).toBe(true);
  });

  test("gives the source's own error back, even if the store below wraps it", async () => {
    const { inner } = heldStore();
    const failure = new Error("the disk of the caller");
    const streaming: StreamingChunkStore = {
      ...inner,
      async putChunkStream(_chunkId, source) {
        try {
          for await (const _piece of source);
        } catch (error) {
          throw new TypeError("wrapped", { cause: error });
        }
        return { sizeBytes: 0, alreadyPresent: false };
      },
    };
    const store = checkedChunkStore(streaming);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield BYTES;
      throw failure;
    };
    await expect(store.putChunkStream(await idOf(), source())).rejects.toBe(failure);
    const signal = countedSignal();
    const good = async function* (): AsyncGenerator<Uint8Array> {
      yield BYTES;
      yield BYTES;
    };
    await store.putChunkStream(await idOf(), good(), { signal: signal.controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(signal.listeners()).toBe(0);
  });
});
