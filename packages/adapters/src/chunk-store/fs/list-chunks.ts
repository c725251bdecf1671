import { throwIfAborted } from "@ashlar/sdk/errors";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ChunkPage, ListChunksOptions } from "@ashlar/sdk/ports";
import { decodeChunkCursor } from "../../internal/chunk-cursor.ts";
import type { FsParts } from "./fs-parts.ts";
import { leafIds, leafKeys, statChunks } from "./walk-chunks.ts";

/**
 * Lists chunks in digest order, reading only the folders that the page needs.
 *
 * A damaged file is listed too (with 0 bytes if its length is impossible), so that whoever sweeps by listing can delete it. Chunks deleted
 * during the call are left out; a page may therefore be shorter than its limit and still have a cursor.
 */
export async function listChunks(parts: FsParts, options: ListChunksOptions | undefined): Promise<ChunkPage> {
  const after = decodeChunkCursor(options?.cursor);
  const limit = options?.limit ?? LIMITS.LIST_LIMIT_DEFAULT.value;
  const ids: string[] = [];
  for await (const leafKey of leafKeys(parts, after)) {
    throwIfAborted(options?.signal);
    ids.push(...(await leafIds(parts, leafKey, after)));
    // One more than asked for shows that there is a next page.
    if (ids.length > limit) break;
  }
  const pageIds = ids.slice(0, limit);
  const found = await statChunks(parts, pageIds);
  const chunks = found.map((chunk) => ({
    chunkId: decodeDigestHex(chunk.id),
    sizeBytes: chunk.payloadBytes,
    unclaimedForMs: parts.claimClock.unclaimedForMs(chunk.modifiedAtMs),
  }));
  return ids.length > limit ? { chunks, nextCursor: pageIds.at(-1) } : { chunks };
}
