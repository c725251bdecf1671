import { AshlarError } from "@ashlar/sdk/errors";
import type { Digest, Hasher } from "@ashlar/sdk/hash";
import type { ChunkPresence, ChunkStore } from "@ashlar/sdk/ports";
import type { GrantKeeper, WriteGrant } from "../grants/index.ts";
import type { ReceiptFacts } from "./chunk-api-options.ts";
import { PROOF_BYTES, provesPossession } from "./possession.ts";

/** One answer about one chunk, as it goes over the wire. */
export interface HeldChunk {
  readonly present: boolean;
  readonly sizeBytes: number;
  readonly nonce?: Uint8Array | undefined;
  readonly receipt?: string | undefined;
}

/** Which chunks are asked for, and how. */
export interface HeldChunksRequest {
  readonly chunkIds: readonly Digest[];
  readonly claim: boolean;
  /** One for each chunk id (may be empty), or none at all. */
  readonly proofs: readonly Uint8Array[];
  readonly signal?: AbortSignal | undefined;
}

/** Parts that answering needs. */
export interface HeldChunksOptions {
  readonly store: ChunkStore;
  readonly nodeId: string;
  readonly hasher: Hasher;
  readonly issueReceipt: (facts: ReceiptFacts) => Promise<string>;
  /** Whether the holder of a write grant may prove possession. */
  readonly proofsOfPossession: boolean;
}

/** Proofs that one call may bring: each reads a whole chunk. */
const PROOFS_MAX = 8;

const ABSENT: HeldChunk = Object.freeze({ present: false, sizeBytes: 0 });

/** Answers a server of the cluster: what is here, claimed if wanted. */
export async function heldChunks(request: HeldChunksRequest, { store }: HeldChunksOptions): Promise<HeldChunk[]> {
  const { chunkIds, claim, signal } = request;
  const presences = await store.hasChunks(chunkIds, { claim, signal });
  return presences.map((presence) =>
    presence === undefined ? ABSENT : { present: true, sizeBytes: presence.sizeBytes },
  );
}

/**
 * Answers the holder of a write grant. If proofs are off, the answer is that nothing is here. Otherwise each chunk gets a nonce; with a right proof
 * also its presence, and a receipt if it was claimed.
 *
 * Without a proof the store is not even asked, so that neither answer nor time tell whether somebody has such bytes. With a wrong proof the time
 * tells: a chunk that is here is read to compare. That is why proofs are off by default.
 */
export async function heldChunksFor(
  grant: WriteGrant,
  grants: GrantKeeper,
  request: HeldChunksRequest,
  options: HeldChunksOptions,
): Promise<HeldChunk[]> {
  checkProofs(request);
  if (!options.proofsOfPossession) return request.chunkIds.map(() => ABSENT);
  const { nodeId } = options;
  const answers: HeldChunk[] = [];
  // One after the other: each proof reads a whole chunk.
  for (const [index, chunkId] of request.chunkIds.entries()) {
    const nonce = await grants.nonceFor(grant.ticketId, chunkId, nodeId);
    const proof = request.proofs[index];
    const notAfterMs = grants.receiptsEndMs();
    const presence =
      proof === undefined || proof.byteLength === 0
        ? undefined
        : await provenPresence({ chunkId, nonce, proof }, request, options);
    if (presence === undefined) {
      answers.push({ ...ABSENT, nonce });
      continue;
    }
    const { sizeBytes, holders } = presence;
    const facts = { ticketId: grant.ticketId, chunkId, sizeBytes, holders, notAfterMs };
    // A receipt promises a claim.
    const receipt = request.claim ? await options.issueReceipt(facts) : undefined;
    answers.push({ present: true, sizeBytes, nonce, receipt });
  }
  return answers;
}

async function provenPresence(
  proven: { readonly chunkId: Digest; readonly nonce: Uint8Array; readonly proof: Uint8Array },
  { claim, signal }: HeldChunksRequest,
  { store, hasher }: HeldChunksOptions,
): Promise<ChunkPresence | undefined> {
  if (!(await provesPossession(proven, { store, hasher, signal }))) return undefined;
  // The chunk may be gone since it was read: only the claim makes sure.
  const [presence] = await store.hasChunks([proven.chunkId], { claim, signal });
  return presence;
}

function checkProofs({ chunkIds, proofs }: HeldChunksRequest): void {
  if (proofs.length !== 0 && proofs.length !== chunkIds.length) {
    throw new AshlarError("INVALID_ARGUMENT", "there are as many proofs as chunk ids, or none");
  }
  if (proofs.filter((proof) => proof.byteLength > 0).length > PROOFS_MAX) {
    throw new AshlarError("INVALID_ARGUMENT", `one call brings at most ${PROOFS_MAX} proofs`);
  }
  if (proofs.some((proof) => proof.byteLength !== 0 && proof.byteLength !== PROOF_BYTES)) {
    throw new AshlarError("INVALID_ARGUMENT", `a proof has ${PROOF_BYTES} bytes, or none`);
  }
}
