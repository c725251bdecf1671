import { expect } from "vitest";
import { isStreamingChunkStore, type PutChunkOptions, type PutChunkResult } from "../../ports/index.ts";
import { type TestChunk, testChunk } from "../test-bytes.ts";
import type { ChunkStoreCase, ChunkStoreCaseContext } from "./contract-case.ts";
import { expectAborts, expectBytes, expectCode, expectKept, flipBit } from "./expectations.ts";

type StreamOptions = PutChunkOptions & { readonly sizeBytes?: number };

/** A source that may be opened once and remembers whether it was told to stop. */
class OneShotSource implements AsyncIterable<Uint8Array> {
  returned = false;
  #opened = false;
  readonly #pieces: () => AsyncGenerator<Uint8Array>;

  constructor(pieces: () => AsyncGenerator<Uint8Array>) {
    this.#pieces = pieces;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#opened) throw new Error("a one-shot source was opened twice");
    this.#opened = true;
    const pieces = this.#pieces();
    return {
      next: () => pieces.next(),
      return: () => {
        this.returned = true;
        return pieces.return(undefined);
      },
    };
  }
}

/** A source of `bytes` in pieces of `pieceBytes`. All pieces are views of one buffer, which is overwritten each time. */
function sourceOf(bytes: Uint8Array, pieceBytes: number, then?: () => Promise<void>): OneShotSource {
  return new OneShotSource(async function* () {
    const buffer = new Uint8Array(pieceBytes);
    for (let offset = 0; offset < bytes.byteLength; offset += pieceBytes) {
      const piece = bytes.subarray(offset, offset + pieceBytes);
      buffer.fill(0).set(piece);
      yield buffer.subarray(0, piece.byteLength);
    }
    await then?.();
  });
}

const never = (): Promise<void> => new Promise(() => {});

function put(
  { store }: ChunkStoreCaseContext,
  chunk: TestChunk,
  source: AsyncIterable<Uint8Array>,
  options?: StreamOptions,
): Promise<PutChunkResult> {
  if (!isStreamingChunkStore(store)) return expect.fail("the store does not take streams any more");
  return store.putChunkStream(chunk.chunkId, source, options);
}

async function roundTrip(context: ChunkStoreCaseContext, sizeBytes: number, pieceBytes: number): Promise<void> {
  const chunk = await testChunk(sizeBytes, 1);
  const result = await put(context, chunk, sourceOf(chunk.bytes, pieceBytes), { sizeBytes });
  expect(result).toMatchObject({ sizeBytes, alreadyPresent: false });
  expectBytes(await context.store.getChunk(chunk.chunkId), chunk.bytes);
  if (sizeBytes > 70_000) {
    const range = { offset: 65_000, length: 5000 };
    expectBytes(await context.store.getChunk(chunk.chunkId, range), chunk.bytes.subarray(65_000, 70_000));
  }
  await expectKept(context.subject, [chunk]);
}

const CASES: ReadonlyArray<Pick<ChunkStoreCase, "name" | "run">> = [
  {
    name: "a stream of odd pieces in a reused buffer is stored whole",
    run: (context) => roundTrip(context, 300_001, 777),
  },
  { name: "a stream of one large piece is stored whole", run: (context) => roundTrip(context, 900_000, 900_000) },
  {
    name: "a stream of chunkMaxBytes is stored whole",
    run: (context) => roundTrip(context, context.store.capabilities.chunkMaxBytes, 300_000),
  },
  {
    name: "a stream without bytes is refused, and nothing is kept",
    async run(context) {
      const chunk = await testChunk(0, 1);
      await expectCode(put(context, chunk, sourceOf(new Uint8Array(0), 10)), "INVALID_ARGUMENT");
      await expectCode(put(context, chunk, sourceOf(new Uint8Array(0), 10), { sizeBytes: 0 }), "INVALID_ARGUMENT");
      await expectKept(context.subject, []);
    },
  },
  {
    name: "a stream of unknown length is stored whole, empty pieces left out",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(0);
        yield chunk.bytes.subarray(0, 60_000);
        yield new Uint8Array(0);
        yield chunk.bytes.subarray(60_000);
      };
      expect(await put(context, chunk, pieces())).toMatchObject({ sizeBytes: 100_000, alreadyPresent: false });
      await expectKept(context.subject, [chunk]);
    },
  },
  {
    name: "a stream of a chunk that is there says so",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      await context.store.putChunk(chunk.chunkId, chunk.bytes);
      const result = await put(context, chunk, sourceOf(chunk.bytes, 9999));
      expect(result).toMatchObject({ sizeBytes: 100_000, alreadyPresent: true });
      await expectKept(context.subject, [chunk]);
    },
  },
  {
    name: "a stream that is one byte too short is refused, and nothing is kept",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const short = (): OneShotSource => sourceOf(chunk.bytes.subarray(0, 99_999), 5000);
      await expectCode(put(context, chunk, short(), { sizeBytes: 100_000 }), "CHUNK_DIGEST_MISMATCH");
      await expectCode(put(context, chunk, short()), "CHUNK_DIGEST_MISMATCH");
      await expectKept(context.subject, []);
    },
  },
  {
    name: "a stream that is one byte too long is refused and told to stop, and nothing is kept",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const source = sourceOf(chunk.bytes, 5000);
      await expectCode(put(context, chunk, source, { sizeBytes: 99_999 }), "OBJECT_TOO_LARGE");
      expect(source.returned).toBe(true);
      await expectKept(context.subject, []);
    },
  },
  {
    name: "a stream that never ends is refused once it passes chunkMaxBytes",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const source = new OneShotSource(async function* () {
        for (;;) yield chunk.bytes;
      });
      await expectCode(put(context, chunk, source), "OBJECT_TOO_LARGE");
      expect(source.returned).toBe(true);
      const sizeBytes = context.store.capabilities.chunkMaxBytes + 1;
      await expectCode(put(context, chunk, sourceOf(chunk.bytes, 5000), { sizeBytes }), "OBJECT_TOO_LARGE");
      await expectKept(context.subject, []);
    },
  },
  {
    name: "a stream with one flipped bit is refused and nothing is kept",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const source = sourceOf(flipBit(chunk.bytes, 70_000), 5000);
      await expectCode(put(context, chunk, source, { sizeBytes: 100_000 }), "CHUNK_DIGEST_MISMATCH");
      await expectKept(context.subject, []);
    },
  },
  {
    name: "an error of the source passes through unchanged and nothing is kept",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const failure = new Error("the source failed");
      const source = sourceOf(chunk.bytes, 5000, () => Promise.reject(failure));
      await expect(put(context, chunk, source)).rejects.toBe(failure);
      await expectKept(context.subject, []);
    },
  },
  {
    name: "an abort ends a stream whose source is stalled, and nothing is kept",
    async run(context) {
      const chunk = await testChunk(100_000, 1);
      const controller = new AbortController();
      let stalled = (): void => {};
      const reached = new Promise<void>((resolve) => {
        stalled = resolve;
      });
      const source = sourceOf(chunk.bytes, 5000, () => {
        stalled();
        return never();
      });
      const call = put(context, chunk, source, { signal: controller.signal });
      await reached;
      await expectAborts(call, () => controller.abort());
      await expectKept(context.subject, []);
    },
  },
  {
    name: "a stream may be refused before its source is opened",
    async run(context) {
      const chunk = await testChunk(10, 1);
      for (const sizeBytes of [-1, 0.5, Number.NaN]) {
        const source = sourceOf(chunk.bytes, 5);
        await expectCode(put(context, chunk, source, { sizeBytes }), "INVALID_ARGUMENT");
      }
      await expectCode(put(context, chunk, chunk.bytes as never), "INVALID_ARGUMENT");
      const text = (async function* () {
        yield "text" as never;
      })();
      await expectCode(put(context, chunk, text), "INVALID_ARGUMENT");
      await expectKept(context.subject, []);
    },
  },
  {
    name: "100 streams of one chunk all succeed, and only the first one stores it",
    async run(context) {
      const chunk = await testChunk(20_000, 1);
      const streams = Array.from({ length: 100 }, () => put(context, chunk, sourceOf(chunk.bytes, 6000)));
      const results = await Promise.all(streams);
      expect(results.filter(({ alreadyPresent }) => !alreadyPresent)).toHaveLength(1);
      await expectKept(context.subject, [chunk]);
    },
  },
  {
    name: "a slow stream does not block other writers of the same chunk",
    async run(context) {
      const chunk = await testChunk(20_000, 1);
      let resume = (): void => {};
      const paused = new Promise<void>((resolve) => {
        resume = resolve;
      });
      const slow = put(
        context,
        chunk,
        sourceOf(chunk.bytes, 6000, () => paused),
      );
      expect(await context.store.putChunk(chunk.chunkId, chunk.bytes)).toMatchObject({ alreadyPresent: false });
      resume();
      expect(await slow).toMatchObject({ alreadyPresent: true });
      await expectKept(context.subject, [chunk]);
    },
  },
  {
    name: "a stream reports progress that does not decrease and ends at the size",
    async run(context) {
      const chunk = await testChunk(context.store.capabilities.chunkMaxBytes, 1);
      const seen: number[] = [];
      const onProgress = (transferredBytes: number): void => void seen.push(transferredBytes);
      await put(context, chunk, sourceOf(chunk.bytes, 100_000), { onProgress });
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(chunk.bytes.byteLength);
    },
  },
];

export const STREAM_CASES: readonly ChunkStoreCase[] = CASES.map((streamCase) => ({
  ...streamCase,
  applies: isStreamingChunkStore,
}));
