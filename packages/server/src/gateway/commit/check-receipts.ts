import { AshlarError, type ErrorDetails } from "@ashlar/sdk/errors";
import { bytesEqual, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ChunkRef, Layout } from "@ashlar/sdk/ports";
import {
  CLOCK_SKEW_MS,
  type GatewayReceipt,
  type GrantKeeper,
  type NodeReceipt,
  RECEIPT_TTL_MS,
  type ReceiptGrant,
  type TicketGrant,
} from "../../grants/index.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { placementCovering } from "./layout-view.ts";

/** Where a chunk lies, as proven. */
export interface ProvenChunk {
  readonly layoutVersion: number;
  /** Servers of the placement without a receipt. */
  readonly missedServerIds: readonly string[];
}

/**
 * Checks that the holder of a ticket uploaded this chunk to enough servers.
 *
 * Either one receipt of a gateway, or receipts of distinct nodes that all belong to the placement of one recent layout and reach its write
 * quorum. Nothing of it rests on the client's word.
 *
 * @throws {AshlarError} UNAUTHENTICATED (forged or malformed), CLAIM_EXPIRED (too old), PERMISSION_DENIED (none; of another ticket, chunk or
 *   size; one server twice), LAYOUT_STALE (servers of no layout of the last day), QUORUM_NOT_REACHED.
 */
export async function checkReceipts(
  context: GatewayContext & { readonly grants: GrantKeeper },
  ticket: TicketGrant,
  chunk: ChunkRef,
  tokens: readonly string[],
): Promise<ProvenChunk> {
  const receipts = await Promise.all(tokens.map((token) => verifyReceipt(context, token, chunk)));
  const nodes: NodeReceipt[] = [];
  const gateways: GatewayReceipt[] = [];
  for (const receipt of receipts) {
    assertSame(receipt, ticket, chunk);
    if (receipt.holder === "node") nodes.push(receipt);
    else gateways.push(receipt);
  }
  const [gateway] = gateways;
  if (gateway !== undefined) return await checkGatewayReceipt(context, chunk, gateway);
  return await checkNodeReceipts(context, chunk, nodes);
}

async function verifyReceipt(
  context: GatewayContext & { readonly grants: GrantKeeper },
  token: string,
  chunk: ChunkRef,
): Promise<ReceiptGrant> {
  // Expired receipts are told apart from forged ones, so that an honest but slow client learns that uploading again helps.
  const receipt = await context.grants.verify(token, ["receipt"], { expiredForMs: Number.POSITIVE_INFINITY });
  if (context.clock.nowMs() <= usableUntilMs(context, receipt) + CLOCK_SKEW_MS) return receipt;
  throw new AshlarError("CLAIM_EXPIRED", "a receipt has expired: the chunk may be gone; upload it again", {
    details: detailsOf(chunk),
  });
}

/** A receipt's own end, or earlier on a cluster whose claims are shorter than usual: the claim must outlive the receipt. */
function usableUntilMs({ claimTtlMs }: GatewayContext, { expiresAtMs }: ReceiptGrant): number {
  const share = Math.min(1, claimTtlMs / LIMITS.CLAIM_TTL_MS.value);
  return expiresAtMs - RECEIPT_TTL_MS * (1 - share);
}

function assertSame(receipt: ReceiptGrant, ticket: TicketGrant, chunk: ChunkRef): void {
  if (receipt.ticketId !== ticket.ticketId) throw denied("a receipt belongs to another ticket", chunk);
  if (!bytesEqual(receipt.chunkId, chunk.chunkId)) throw denied("a receipt is for another chunk", chunk);
  if (receipt.sizeBytes !== chunk.sizeBytes) throw denied("a receipt is for another size", chunk);
}

async function checkGatewayReceipt(
  context: GatewayContext,
  chunk: ChunkRef,
  receipt: GatewayReceipt,
): Promise<ProvenChunk> {
  const { layoutVersion, missedServerIds } = receipt;
  if (layoutVersion === 0) {
    const placement = await context.topology.writePlacement(chunk.chunkId);
    if (placement.layoutVersion === 0) return { layoutVersion, missedServerIds };
    throw stale(chunk);
  }
  const known = await findLayout(context, (layouts) =>
    layouts.find((layout) => layout.layoutVersion === layoutVersion),
  );
  if (known === undefined) throw stale(chunk);
  return { layoutVersion, missedServerIds };
}

async function checkNodeReceipts(
  context: GatewayContext,
  chunk: ChunkRef,
  receipts: readonly NodeReceipt[],
): Promise<ProvenChunk> {
  if (receipts.length === 0) throw denied("a chunk has no receipt", chunk);
  const serverIds = new Set(receipts.map((receipt) => receipt.serverId));
  if (serverIds.size < receipts.length) throw denied("two receipts are of the same server", chunk);
  const covering = await findLayout(context, (layouts) =>
    placementCovering(layouts, context.layouts.placementOf, { chunkId: chunk.chunkId, serverIds }),
  );
  if (covering === undefined) throw stale(chunk);
  const { layoutVersion, servers } = covering;
  const quorum = context.topology.writeQuorum(servers.length);
  if (serverIds.size < quorum) {
    throw new AshlarError("QUORUM_NOT_REACHED", `a chunk has ${serverIds.size} receipts, ${quorum} are needed`, {
      details: { ...detailsOf(chunk), quorum: String(quorum) },
    });
  }
  return { layoutVersion, missedServerIds: servers.filter((serverId) => !serverIds.has(serverId)) };
}

/** Looks in the layouts in use, then in those of the longest upload, and then whether one came since the view was taken. */
async function findLayout<T>(
  { layouts }: GatewayContext,
  find: (layouts: readonly Layout[]) => T | undefined,
): Promise<T | undefined> {
  return (
    find(await layouts.layoutsInUse()) ?? find(await layouts.recent()) ?? find(await layouts.recent({ fresh: true }))
  );
}

const detailsOf = (chunk: ChunkRef): ErrorDetails => ({ chunkId: encodeHex(chunk.chunkId) });

const denied = (message: string, chunk: ChunkRef): AshlarError =>
  new AshlarError("PERMISSION_DENIED", message, { details: detailsOf(chunk) });

const stale = (chunk: ChunkRef): AshlarError =>
  new AshlarError(
    "LAYOUT_STALE",
    "a chunk lies outside of its placement under every layout of the last day; upload it again",
    {
      details: detailsOf(chunk),
    },
  );
