import type { Digest } from "../hash/index.ts";
import type { PutChunkResult } from "../ports/index.ts";

/** What a server says of one chunk. */
export interface PresenceAnswer {
  readonly present: boolean;
  readonly sizeBytes: number;
  /** Empty where the caller needs no proof: a server of the cluster, or a store without access control. */
  readonly nonce: Uint8Array;
  readonly receipt: string | undefined;
}

/** The two steps of a proof of possession. @param ask claims the chunk, with the proof given or none. */
export async function proveChunk(
  ask: (proofs: readonly Uint8Array[]) => Promise<PresenceAnswer>,
  prove: (nonce: Uint8Array) => Digest | Promise<Digest>,
): Promise<PutChunkResult | undefined> {
  let answer = await ask([]);
  if (!answer.present && answer.nonce.byteLength > 0) answer = await ask([await prove(answer.nonce)]);
  const { present, sizeBytes, receipt } = answer;
  return present ? { sizeBytes, alreadyPresent: true, receipt } : undefined;
}
