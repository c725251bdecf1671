import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, type Digest, type Hasher } from "@ashlar/sdk/hash";
import type { ChunkStore } from "@ashlar/sdk/ports";
import { bytesOf } from "../http/piece.ts";
import { openChunk } from "./open-chunk.ts";

/** Length of a proof: a SHA-256. */
export const PROOF_BYTES = 32;

/**
 * Whether `proof` is SHA-256(nonce ‖ bytes) of a chunk that is here: shows that a client has the bytes and not just their digest.
 *
 * An absent chunk and a wrong proof give the same answer. Memory: two slices.
 */
export async function provesPossession(
  request: { readonly chunkId: Digest; readonly nonce: Uint8Array; readonly proof: Uint8Array },
  options: {
    readonly store: ChunkStore;
    readonly hasher: Hasher;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<boolean> {
  const { store, hasher, signal } = options;
  const [presence] = await store.hasChunks([request.chunkId], { claim: false, signal }).catch((error: unknown) => {
    // A node behind a gateway is away. The client then sends the chunk, as for one that is absent.
    if (AshlarError.is(error, "NODE_UNAVAILABLE")) return [];
    throw error;
  });
  if (presence === undefined || request.proof.byteLength !== PROOF_BYTES) return false;
  const hash = await hasher.incremental();
  hash.update(request.nonce);
  // Opened last: what is opened is read.
  const { pieces } = await openChunk(store, request.chunkId, { signal });
  for await (const slice of bytesOf(pieces)) hash.update(slice);
  return bytesEqual(hash.digest(), request.proof);
}
