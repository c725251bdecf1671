/**
 * A process of its own with a chunk store open, for tests of crashes and of shared folders.
 *
 * Started with the folder as its argument. Commands come as JSON, one per line, on stdin; each is answered by one line of JSON on stdout.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
import { DURABILITIES, type StreamingChunkStore } from "@ashlar/sdk/ports";
import { type TestChunk, testChunk } from "@ashlar/sdk/testing";
import { openFsChunkStore } from "../index.ts";

/** What the process can be told to do. */
export type StoreCommand =
  /** Writes chunks until it is killed; answers each acknowledged id. */
  | { readonly op: "write-for-ever"; readonly seed: number }
  /** Puts chunks that differ by seed; answers whether each was there. */
  | { readonly op: "put"; readonly sizeBytes: number; readonly seeds: readonly number[] }
  /** Deletes each id by a call of its own, all at once; answers the outcomes. */
  | { readonly op: "delete"; readonly ids: readonly string[]; readonly unclaimedForMs: number }
  /** Waits until the store has counted, and so swept, its folders; answers the chunk count. */
  | { readonly op: "count" };

const LANES = 4;
const PIECE_BYTES = 50_000;

const answer = (value: unknown): void => void writeSync(1, `${JSON.stringify(value)}\n`);

async function* pieces({ bytes }: TestChunk): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += PIECE_BYTES) {
    yield bytes.subarray(offset, offset + PIECE_BYTES);
  }
}

async function writeForEver(store: StreamingChunkStore, firstSeed: number): Promise<void> {
  let seed = firstSeed;
  const lane = async (laneIndex: number): Promise<void> => {
    for (;;) {
      const chunk = await testChunk(200_000 + 1000 * (seed % 900), seed++);
      const durability = DURABILITIES[seed % DURABILITIES.length];
      if (laneIndex % 2 === 0) await store.putChunk(chunk.chunkId, chunk.bytes, { durability });
      else await store.putChunkStream(chunk.chunkId, pieces(chunk), { durability });
      answer(encodeHex(chunk.chunkId));
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
}

async function obey(store: StreamingChunkStore, command: StoreCommand): Promise<void> {
  switch (command.op) {
    case "write-for-ever":
      return await writeForEver(store, command.seed);
    case "put": {
      const chunks = await Promise.all(command.seeds.map((seed) => testChunk(command.sizeBytes, seed)));
      const results = await Promise.all(chunks.map(({ chunkId, bytes }) => store.putChunk(chunkId, bytes)));
      return answer(results.map(({ alreadyPresent }) => alreadyPresent));
    }
    case "delete": {
      const { unclaimedForMs } = command;
      const deletes = command.ids.map((id) => store.deleteChunks([decodeDigestHex(id)], { unclaimedForMs }));
      return answer((await Promise.all(deletes)).flat());
    }
    case "count":
      return answer((await store.stats()).chunkCount);
  }
}

const store = await openFsChunkStore({ path: process.argv[2] ?? "", chunkMaxBytes: 2 * 1024 * 1024 });
answer("open");
for await (const line of createInterface({ input: process.stdin })) await obey(store, JSON.parse(line));
await store.close();
