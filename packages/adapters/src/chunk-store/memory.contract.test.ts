import { encodeHex } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import { type ChunkStoreSubject, chunkStoreContract, testChunks } from "@ashlar/sdk/testing";
import { expect, test } from "vitest";
import { createMemoryChunkStore, type MemoryChunk } from "./memory.ts";

async function createSubject(): Promise<ChunkStoreSubject> {
  const chunks = new Map<string, MemoryChunk>();
  let store = createMemoryChunkStore({ chunkMaxBytes: 2 * MIB, chunks });
  return {
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = createMemoryChunkStore({ chunkMaxBytes: 2 * MIB, chunks });
      return store;
    },
    inspect: async () => ({ chunks: new Map([...chunks].map(([id, chunk]) => [id, chunk.bytes])), leftovers: [] }),
    dispose: () => store.close(),
  };
}

chunkStoreContract({ name: "the memory chunk store", create: createSubject });

test("a memory store with a capacity refuses what does not fit, keeps nothing of it, and takes it once there is room", async () => {
  const store = createMemoryChunkStore({ capacityBytes: 250 });
  const [a, b, c] = await testChunks(3, 100);
  await store.putChunk(a!.chunkId, a!.bytes);
  await store.putChunk(b!.chunkId, b!.bytes);
  await expect(store.putChunk(c!.chunkId, c!.bytes)).rejects.toMatchObject({ code: "DISK_FULL" });
  expect(await store.stats()).toEqual({ chunkCount: 2, bytesUsed: 201, bytesFree: 49, bytesTotal: 250 });
  expect(await store.putChunk(a!.chunkId, a!.bytes)).toMatchObject({ alreadyPresent: true });
  await store.deleteChunks([b!.chunkId], { unclaimedForMs: 0 });
  await store.putChunk(c!.chunkId, c!.bytes);
  const { chunks } = await store.listChunks();
  expect(chunks.map(({ chunkId }) => encodeHex(chunkId))).toEqual(
    [a!, c!].map(({ chunkId }) => encodeHex(chunkId)).sort(),
  );
});
