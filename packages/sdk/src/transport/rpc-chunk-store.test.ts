import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { encodeHex, sha256Sync } from "../hash/index.ts";
import { MIB } from "../limits.ts";
import type { ChunkStore } from "../ports/index.ts";
import { ChunkService, connectErrorFrom } from "../rpc/index.ts";
import { inProcessTransport } from "./in-process.ts";

const bytes = new Uint8Array(2 * MIB + 5).map((_, index) => index * 7 + (index >> 9));
const chunkId = sha256Sync(bytes);

function storeOver(service: Partial<ServiceImpl<typeof ChunkService>>): ChunkStore {
  const routes = (router: ConnectRouter): void => void router.service(ChunkService, service);
  return inProcessTransport({ routes }).openChunkStore({ url: "http://node" });
}

describe("put", () => {
  test("sends a header, then frames of 1 MiB, or of 64 KiB with onProgress, and reports each", async () => {
    const frames: number[] = [];
    const store = storeOver({
      async putChunk(messages, context) {
        expect(context.requestHeader.get("authorization")).toBe("Bearer g");
        const received: Uint8Array[] = [];
        for await (const { payload } of messages) {
          if (payload.case === "header") {
            expect(frames).toEqual([]);
            expect([encodeHex(payload.value.chunkId), payload.value.sizeBytes]).toEqual([
              encodeHex(chunkId),
              BigInt(bytes.length),
            ]);
          } else if (payload.case === "frame") {
            frames.push(payload.value.length);
            received.push(payload.value);
          }
        }
        expect(Buffer.concat(received).equals(bytes)).toBe(true);
        return { sizeBytes: BigInt(bytes.length), alreadyPresent: true, receipt: "r", nodeId: "n1" };
      },
    });
    const result = await store.putChunk(chunkId, bytes, { grant: "g" });
    expect(result).toMatchObject({ sizeBytes: bytes.length, alreadyPresent: true, receipt: "r" });
    expect(frames.splice(0)).toEqual([MIB, MIB, 5]);
    const progress: number[] = [];
    await store.putChunk(chunkId, bytes, { grant: "g", onProgress: (sent) => progress.push(sent) });
    const small = Array.from({ length: 32 }, () => MIB / 16);
    expect(frames).toEqual([...small, 5]);
    expect(progress).toEqual([...small.map((size, index) => size * (index + 1)), bytes.length, bytes.length]);
  });

  test("sends a chunk of one frame in one message", async () => {
    const small = bytes.slice(0, MIB);
    const store = storeOver({
      writeChunk: async ({ data }) => ({ sizeBytes: BigInt(data.length), nodeId: "n1" }),
    });
    expect(await store.putChunk(sha256Sync(small), small)).toMatchObject({ sizeBytes: MIB, alreadyPresent: false });
  });

  test("gets the node's error in the middle of the upload, and stops sending", async () => {
    let received = 0;
    const store = storeOver({
      async putChunk(messages) {
        for await (const { payload } of messages) {
          if (payload.case === "frame" && ++received === 1)
            throw connectErrorFrom(new AshlarError("DISK_FULL", "full"));
        }
        return {};
      },
    });
    await expect(store.putChunk(chunkId, bytes)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(received).toBe(1);
  });
});

describe("get", () => {
  const serving = (frames: readonly Uint8Array[], chunkSizeBytes: number): ChunkStore =>
    storeOver({
      async *getChunk() {
        for (const [index, frame] of frames.entries()) {
          yield { frame, chunkSizeBytes: index === 0 ? BigInt(chunkSizeBytes) : 0n };
        }
      },
    });

  test("assembles frames of any size into one buffer, with progress", async () => {
    const progress: number[] = [];
    const store = serving([bytes.subarray(0, 10), bytes.subarray(10)], bytes.length);
    const read = await store.getChunk(chunkId, { onProgress: (received) => progress.push(received) });
    expect(read).toEqual(bytes);
    expect(progress).toEqual([10, bytes.length]);
  });

  test("asks for the range and takes what is left of the chunk", async () => {
    const store = storeOver({
      async *getChunk({ offset, length }) {
        expect([offset, length]).toEqual([100n, 50n]);
        yield { frame: bytes.subarray(100, 120), chunkSizeBytes: 120n };
      },
    });
    expect(await store.getChunk(chunkId, { offset: 100, length: 50 })).toEqual(bytes.slice(100, 120));
  });

  test.each([
    ["a stream that ends early", [new Uint8Array(9)], 10],
    ["a stream that is too long", [new Uint8Array(9), new Uint8Array(2)], 10],
    ["a stream without a frame", [], 10],
    ["a size that no chunk has", [new Uint8Array(1)], 2 ** 50],
  ])("%s is NODE_UNAVAILABLE", async (_name, frames, size) => {
    await expect(serving(frames, size).getChunk(chunkId)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
  });

  test("only CHUNK_NOT_FOUND is absence", async () => {
    const failing = (error: Error): ChunkStore =>
      storeOver({
        // biome-ignore lint/correctness/useYield: it fails before its first frame.
        async *getChunk() {
          throw error;
        },
      });
    const absent = failing(connectErrorFrom(new AshlarError("CHUNK_NOT_FOUND", "none")));
    expect(await absent.getChunk(chunkId)).toBeUndefined();
    await expect(failing(new ConnectError("none", Code.NotFound)).getChunk(chunkId)).rejects.toMatchObject({
      code: "OBJECT_NOT_FOUND",
    });
  });
});

test("answers that do not match the ids are refused", async () => {
  const store = storeOver({ hasChunks: async () => ({ chunks: [] }), deleteChunk: async () => ({ outcomes: [1, 1] }) });
  await expect(store.hasChunks([chunkId], { claim: false })).rejects.toMatchObject({ code: "INTERNAL" });
  await expect(store.deleteChunks([chunkId], { unclaimedForMs: 0 })).rejects.toMatchObject({ code: "INTERNAL" });
});

test("a call that the node cancels is NODE_UNAVAILABLE, not the caller's own CANCELED", async () => {
  const store = storeOver({ healthCheck: () => Promise.reject(new ConnectError("gone", Code.Canceled)) });
  await expect(store.stats()).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
});

test("handlers refuse messages over their limit", async () => {
  const routes = (router: ConnectRouter): void => void router.service(ChunkService, { writeChunk: async () => ({}) });
  const store = inProcessTransport({ routes, readMaxBytes: 1000 }).openChunkStore({ url: "http://node" });
  const big = bytes.slice(0, 2000);
  await expect(store.putChunk(sha256Sync(big), big)).rejects.toMatchObject({ code: "OBJECT_TOO_LARGE" });
});

test("a transport refuses calls after close, and URLs that are not http", async () => {
  const transport = inProcessTransport({ routes: () => {} });
  expect(() => transport.openChunkStore({ url: "ftp://node" })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
  const store = transport.openChunkStore({ url: "http://node" });
  await transport.close();
  await expect(store.stats()).rejects.toMatchObject({ code: "STORE_CLOSED" });
  expect(() => transport.openGateway({ url: "http://node" })).toThrow(
    expect.objectContaining({ code: "STORE_CLOSED" }),
  );
});
