import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { checkChunks } from "@ashlar/sdk/manifest";
import type { ChunkedContent, CommittedChunk } from "@ashlar/sdk/ports";
import type { ReceivedContent } from "@ashlar/sdk/rpc";
import type { TicketGrant } from "../../grants/index.ts";
import { HTTP_LIMITS } from "../../http/bounds/http-limits.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { askStores } from "./ask-stores.ts";
import { checkReceipts, type ProvenChunk } from "./check-receipts.ts";

type ReceivedChunk = ReceivedContent["chunks"][number];

/** Chunks checked side by side: enough to keep the signature threads busy, few enough to let other requests through. */
const CHECK_BATCH = 64;

/**
 * Checks the chunk list of a commit and turns it into what the catalog takes. Sizes must add up, and receipts or, on an insecure gateway, the stores
 * themselves must prove that every chunk is stored. A chunk that occurs more than once needs its receipts once.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for impossible lists; as `checkReceipts` and `askStores`.
 */
export async function checkContent(
  context: GatewayContext,
  ticket: TicketGrant | undefined,
  content: ReceivedContent,
  options: { readonly sizeBytes: number; readonly signal: AbortSignal | undefined },
): Promise<ChunkedContent> {
  assertFewEnough(content.chunks.length, options.sizeBytes);
  const problems = checkChunks(content.chunks, options.sizeBytes);
  if (problems.length > 0) throw new AshlarError("INVALID_ARGUMENT", problems.join("; "));
  const distinct = mergeReceipts(content.chunks);
  const proven = new Map<string, ProvenChunk>();
  for (let start = 0; start < distinct.length; start += CHECK_BATCH) {
    const batch = distinct.slice(start, start + CHECK_BATCH);
    const results = await Promise.all(batch.map(({ chunk }) => prove(context, ticket, chunk, options.signal)));
    for (const [index, result] of results.entries()) proven.set(batch[index]?.name ?? "", result);
  }
  const chunks = content.chunks.map(({ chunkId, sizeBytes }): CommittedChunk => {
    const { layoutVersion, missedNodeIds, standInNodeIds } = proven.get(encodeHex(chunkId)) ?? {};
    return { chunkId, sizeBytes, layoutVersion, missedNodeIds, standInNodeIds };
  });
  return { chunks };
}

/**
 * Refuses a list with too many chunks for its bytes: each entry is work here, a row, and a request of every reader. One chunk may occur often, as in
 * an object of zeros, so this compares sizes and does not ask whether the chunks differ.
 */
function assertFewEnough(chunkCount: number, sizeBytes: number): void {
  const averageMin = LIMITS.CHUNK_MIN_BYTES;
  if (chunkCount > HTTP_LIMITS.SMALL_CHUNKS_MAX.value && (chunkCount - 1) * averageMin > sizeBytes) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `more than ${HTTP_LIMITS.SMALL_CHUNKS_MAX.value} chunks have at least ${averageMin} bytes each on average`,
      { details: { chunkMinBytes: String(averageMin) } },
    );
  }
}

function prove(
  context: GatewayContext,
  ticket: TicketGrant | undefined,
  chunk: ReceivedChunk,
  signal: AbortSignal | undefined,
): Promise<ProvenChunk> {
  const { grants } = context;
  const receipts = [...new Set(chunk.receipts)]; // the same receipt twice proves no more than once
  const unsigned = ticket === undefined || receipts.length === 0;
  if (grants === undefined || (context.insecure && unsigned)) return askStores(context, chunk, signal);
  if (ticket === undefined) throw new AshlarError("UNAUTHENTICATED", "a commit of chunks needs a ticket");
  return checkReceipts({ ...context, grants }, ticket, chunk, receipts);
}

interface NamedChunk {
  readonly name: string;
  readonly chunk: ReceivedChunk;
}

/**
 * One entry for each chunk id, with the receipts of the occurrence that has the most: each occurrence was a put of its own, and the nodes sign a new
 * receipt for each put.
 */
function mergeReceipts(chunks: readonly ReceivedChunk[]): readonly NamedChunk[] {
  const byName = new Map<string, ReceivedChunk>();
  for (const chunk of chunks) {
    const name = encodeHex(chunk.chunkId);
    const known = byName.get(name);
    if (known !== undefined && known.sizeBytes !== chunk.sizeBytes) {
      throw new AshlarError("INVALID_ARGUMENT", "one chunk is named with two sizes", { details: { chunkId: name } });
    }
    if (receiptCount(chunk) > LIMITS.REPLICATION_FACTOR_MAX) {
      throw new AshlarError("INVALID_ARGUMENT", "a chunk has more receipts than it can have replicas", {
        details: { chunkId: name },
      });
    }
    if (known === undefined || receiptCount(chunk) > receiptCount(known)) byName.set(name, chunk);
  }
  return [...byName].map(([name, chunk]) => ({ name, chunk }));
}

function receiptCount(chunk: ReceivedChunk): number {
  return chunk.receipts?.length ?? 0;
}
