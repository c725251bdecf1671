import type { Digest } from "../hash/index.ts";
import type { PutChunkResult } from "../ports/index.ts";

/** A node's or gateway's answer about one chunk. */
export interface PresenceAnswer {
  readonly present: boolean;
  readonly sizeBytes: number;
  /** Empty if no proof is asked for: the caller has a cluster grant, the server takes no proofs, or it has no access control. */
  readonly nonce: Uint8Array;
  readonly receipt: string | undefined;
}

/** The two steps of a proof of possession. @param ask claims the chunk, with a proof or without one. */
export async function proveChunk(
  ask: (proofs: readonly Uint8Array[]) => Promise<PresenceAnswer>,
  prove: (nonce: Uint8Array) => Digest | Promise<Digest>,
): Promise<PutChunkResult | undefined> {
  let answer = await ask([]);
  if (!answer.present && answer.nonce.byteLength > 0) answer = await ask([await prove(answer.nonce)]);
  const { present, sizeBytes, receipt } = answer;
  return present ? { sizeBytes, alreadyPresent: true, receipt } : undefined;
}
