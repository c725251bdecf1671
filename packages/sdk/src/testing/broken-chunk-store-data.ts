import { bytesEqual, encodeHex, webCryptoHasher } from "../hash/index.ts";
import * as LIMITS from "../limit-values.ts";
import type { ChunkStore, ListedChunk } from "../ports/index.ts";
import type { BrokenChunkStore } from "./broken-chunk-store.ts";

/** Faults in what is stored, read and listed. */
export const READ_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "drops the last byte",
    caughtBy: "put and get return the bytes, which are stored unchanged",
    override: (sound) => ({
      getChunk: async (chunkId, options) => {
        const bytes = await sound.getChunk(chunkId, options);
        return bytes === undefined || bytes.byteLength === 0 ? bytes : bytes.subarray(0, -1);
      },
    }),
  },
  {
    fault: "starts ranges of more than one block one byte too late",
    caughtBy: "get of a range returns exactly the range, at and around block borders",
    override: (sound) => ({
      getChunk: async (chunkId, options) => {
        const isLong = (options?.length ?? 0) > LIMITS.CHECKSUM_BLOCK_BYTES && (options?.offset ?? 0) > 0;
        return await sound.getChunk(chunkId, isLong ? { ...options, offset: (options?.offset ?? 0) + 1 } : options);
      },
    }),
  },
  {
    fault: "returns a neighbour's bytes when reads run at once",
    caughtBy: "100 reads at once each return their own chunk",
    override: (sound) => {
      let running: ReturnType<ChunkStore["getChunk"]> | undefined;
      return {
        getChunk: async (chunkId, options) => {
          running ??= sound.getChunk(chunkId, options).finally(() => {
            running = undefined;
          });
          return (await running)?.slice();
        },
      };
    },
  },
  {
    fault: "answers absent on any error",
    caughtBy: "get refuses a range that starts at or past the end",
    override: (sound) => ({
      getChunk: (chunkId, options) => sound.getChunk(chunkId, options).catch(() => undefined),
    }),
  },
  {
    fault: "returns its own cached bytes",
    caughtBy: "the caller owns the bytes that get returns: changing them changes nothing in the store",
    override: (sound) => {
      const cache = new Map<string, Uint8Array>();
      return {
        getChunk: async (chunkId, options) => {
          const key = `${encodeHex(chunkId)} ${options?.offset} ${options?.length}`;
          const bytes = cache.get(key) ?? (await sound.getChunk(chunkId, options));
          if (bytes !== undefined) cache.set(key, bytes);
          return bytes;
        },
      };
    },
  },
  {
    fault: "answers has in another order",
    caughtBy: "has answers once per id and in order",
    override: (sound) => ({
      hasChunks: async (chunkIds, options) => [...(await sound.hasChunks(chunkIds, options))].reverse(),
    }),
  },
];

/** Faults in writing. */
export const WRITE_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "acknowledges before it has written",
    caughtBy: "put and get return the bytes, which are stored unchanged",
    override: (sound) => ({
      putChunk: async (chunkId, bytes, options) => {
        if (!bytesEqual(await webCryptoHasher.digest(bytes), chunkId))
          return await sound.putChunk(chunkId, bytes, options);
        sound.putChunk(chunkId, bytes, options).catch(() => {});
        return { sizeBytes: bytes.byteLength, alreadyPresent: false };
      },
    }),
  },
  {
    fault: "accepts a wrong digest",
    caughtBy: "put refuses bytes that do not have the chunk id as their digest, and keeps nothing",
    override: (sound) => ({
      putChunk: async (_chunkId, bytes, options) =>
        await sound.putChunk(await webCryptoHasher.digest(bytes), bytes, options),
    }),
  },
  {
    fault: "keeps the bytes that a failed stream had sent",
    caughtBy: "an error of the source passes through unchanged and nothing is kept",
    override: (sound) => ({
      putChunkStream: async (chunkId, source, options) => {
        const pieces: Uint8Array[] = [];
        const spied = async function* (): AsyncGenerator<Uint8Array> {
          for await (const piece of source) {
            pieces.push(piece.slice());
            yield piece;
          }
        };
        return await sound.putChunkStream(chunkId, spied(), options).catch(async (error: unknown) => {
          const bytes = new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
          await sound.putChunk(await webCryptoHasher.digest(bytes), bytes).catch(() => {});
          throw error;
        });
      },
    }),
  },
  {
    fault: "does not compare the bytes of a stream with their declared size",
    caughtBy: "a stream that is one byte too long is refused and told to stop, and nothing is kept",
    override: (sound) => ({
      putChunkStream: (chunkId, source, options) =>
        sound.putChunkStream(chunkId, source, { ...options, sizeBytes: undefined }),
    }),
  },
  {
    fault: "never says that a chunk was there",
    caughtBy: "put of a chunk that is there says so and changes nothing",
    override: (sound) => ({
      putChunk: async (chunkId, bytes, options) => ({
        ...(await sound.putChunk(chunkId, bytes, options)),
        alreadyPresent: false,
      }),
    }),
  },
];

/** Faults in listing and counting. */
export const LIST_FAULTS: readonly BrokenChunkStore[] = [
  {
    fault: "leaves out the last chunk of a page",
    caughtBy: "list returns every chunk once, in digest order, with its size, for every page size",
    override: (sound) => ({
      listChunks: async (options) => {
        const page = await sound.listChunks(options);
        return page.nextCursor === undefined ? page : { ...page, chunks: page.chunks.slice(0, -1) };
      },
    }),
  },
  {
    fault: "repeats the chunk at a page border",
    caughtBy: "list returns every chunk once, in digest order, with its size, for every page size",
    override: (sound) => {
      let last: ListedChunk | undefined;
      return {
        listChunks: async (options) => {
          const page = await sound.listChunks(options);
          const chunks =
            options?.cursor === undefined || last === undefined
              ? page.chunks
              : [last, ...page.chunks].slice(0, options.limit);
          last = page.chunks.at(-1);
          return { ...page, chunks };
        },
      };
    },
  },
  {
    fault: "lists in the order of writing",
    caughtBy: "list returns every chunk once, in digest order, with its size, for every page size",
    override: (sound) => ({
      listChunks: async (options) => {
        const page = await sound.listChunks(options);
        return { ...page, chunks: page.chunks.toSorted((a, b) => b.sizeBytes - a.sizeBytes) };
      },
    }),
  },
  {
    fault: "does not take deleted chunks out of its stats",
    caughtBy: "stats count chunks and payload bytes through puts, repeated puts and deletes",
    override: (sound) => {
      let most = { chunkCount: 0, bytesUsed: 0 };
      return {
        stats: async (options) => {
          const stats = await sound.stats(options);
          if (stats.chunkCount > most.chunkCount) most = stats;
          return { ...stats, ...most };
        },
      };
    },
  },
];
