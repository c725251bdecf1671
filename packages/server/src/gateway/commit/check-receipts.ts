import { AshlarError, type ErrorCode, type ErrorDetails } from "@ashlar/sdk/errors";
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
import { clockText, stepText } from "../clock-watch.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { type LayoutPlacement, placementsCovering } from "./layout-view.ts";

/** Where a chunk is proven to lie. */
export interface ProvenChunk {
  readonly layoutVersion: number;
  /** Nodes of the placement without a receipt; or, if the newest layout wants more copies, the nodes that it wants besides. */
  readonly missedNodeIds: readonly string[];
  /** Nodes outside the placement that hold a copy in place of missed ones. */
  readonly standInNodeIds?: readonly string[] | undefined;
}

/**
 * Checks that the holder of a ticket uploaded this chunk to enough nodes.
 *
 * Either one receipt of a gateway, or receipts of distinct nodes that all belong to the placement of one recent layout and reach its write
 * quorum. Nothing of it relies on the client's word.
 *
 * A receipt that has expired does not count, but the others may be enough. So one node whose clock is behind stops no client.
 *
 * @throws {AshlarError} UNAUTHENTICATED (forged or malformed), CLAIM_EXPIRED (too few are left that have not expired), PERMISSION_DENIED (none; of
 *   another ticket, chunk or size; one node twice), LAYOUT_STALE (nodes of no layout of the last day), QUORUM_NOT_REACHED (too few for each layout).
 */
export async function checkReceipts(
  context: GatewayContext & { readonly grants: GrantKeeper },
  ticket: TicketGrant,
  chunk: ChunkRef,
  tokens: readonly string[],
): Promise<ProvenChunk> {
  // Expired receipts are told apart from forged ones, so that an honest but slow client learns that uploading again helps.
  const asked = { expiredForMs: Number.POSITIVE_INFINITY };
  const receipts = await Promise.all(tokens.map((token) => context.grants.verify(token, ["receipt"], asked)));
  for (const receipt of receipts) assertSame(receipt, ticket, chunk);
  noteClocks(context, ticket, receipts);
  const nowMs = context.clock.nowMs();
  const isUsable = (receipt: ReceiptGrant): boolean => nowMs <= usableUntilMs(context, receipt) + CLOCK_SKEW_MS;
  const usable = receipts.filter(isUsable);
  const expired = receipts.filter((receipt) => !isUsable(receipt));
  const gateway = usable.find((receipt) => receipt.holder === "gateway");
  try {
    if (gateway !== undefined) return await checkGatewayReceipt(context, chunk, gateway);
    return await checkNodeReceipts(
      context,
      chunk,
      usable.filter((receipt) => receipt.holder === "node"),
    );
  } catch (error) {
    const isFor = (code: ErrorCode): boolean => AshlarError.is(error, code);
    if (expired.length > 0 && TOO_FEW.some(isFor)) throw tooOld(context, chunk, expired, error);
    throw error;
  }
}

/** The codes with which usable receipts are refused, where more receipts could help. */
const TOO_FEW: readonly ErrorCode[] = ["PERMISSION_DENIED", "LAYOUT_STALE", "QUORUM_NOT_REACHED"];

/** Names the nodes: a node whose clock is behind gives receipts that expire too early. */
function tooOld(
  { clocks }: GatewayContext,
  chunk: ChunkRef,
  expired: readonly ReceiptGrant[],
  cause: unknown,
): AshlarError {
  const nodeIds = expired.flatMap((receipt) => (receipt.holder === "node" ? [receipt.nodeId] : receipt.nodeIds));
  const from = [...new Set(nodeIds)];
  const behind = from.flatMap((nodeId) => {
    const aheadMs = clocks.differing().get(nodeId) ?? 0;
    return aheadMs < 0 ? [clockText(nodeId, aheadMs)] : [];
  });
  const stepMs = clocks.ownStepMs();
  const help =
    behind.length > 0
      ? `${behind.join(", ")}: set both right (NTP)`
      : `upload it again. If that does not help, see whether the clocks of these nodes are behind${stepMs > 0 ? `: ${stepText(stepMs)}` : ""}`;
  return new AshlarError(
    "CLAIM_EXPIRED",
    `the receipts of ${from.join(", ")} have expired, and the others are too few: the chunk may be gone; ${help}`,
    { cause, details: { ...detailsOf(chunk), nodeIds: from.join(", ") } },
  );
}

/** No receipt is older than its ticket, unless the clock of its node is behind. */
function noteClocks({ clocks }: GatewayContext, { begunAtMs }: TicketGrant, receipts: readonly ReceiptGrant[]): void {
  clocks.ownStepMs();
  for (const receipt of receipts) {
    if (receipt.holder !== "node" || begunAtMs === undefined) continue;
    const behindMs = begunAtMs - (receipt.expiresAtMs - RECEIPT_TTL_MS);
    if (behindMs > CLOCK_SKEW_MS) clocks.differs(receipt.nodeId, -behindMs);
    else clocks.agrees(receipt.nodeId, "behind");
  }
}

/** A receipt's own end, or earlier on a cluster whose claims are shorter than usual: the claim must outlive the receipt. */
function usableUntilMs({ claimTtlMs }: GatewayContext, { expiresAtMs }: ReceiptGrant): number {
  const share = Math.min(1, claimTtlMs / LIMITS.CLAIM_TTL_MS);
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
  const { layoutVersion, missedNodeIds, standInNodeIds } = receipt;
  if (layoutVersion === 0) {
    const placement = await context.topology.writePlacement(chunk.chunkId);
    if (placement.layoutVersion === 0) return { layoutVersion, missedNodeIds };
    throw stale(chunk);
  }
  // Not looked for among the recent layouts, which are bounded: the metadata refuses a layout that was never written.
  return { layoutVersion, missedNodeIds, standInNodeIds };
}

async function checkNodeReceipts(
  context: GatewayContext,
  chunk: ChunkRef,
  receipts: readonly NodeReceipt[],
): Promise<ProvenChunk> {
  if (receipts.length === 0) throw denied("a chunk has no receipt", chunk);
  const nodeIds = new Set(receipts.map((receipt) => receipt.nodeId));
  if (nodeIds.size < receipts.length) throw denied("two receipts are of the same node", chunk);
  const { layouts, topology } = context;
  const missedOf = ({ nodes }: LayoutPlacement): readonly string[] => nodes.filter((nodeId) => !nodeIds.has(nodeId));
  /** Of the newest layout that places the chunk on these nodes, and wants more of them: nodes came, or the number of copies was raised. */
  let wider: LayoutPlacement | undefined;
  const reaching = await findLayout(context, (candidates): LayoutPlacement | undefined => {
    for (const placement of placementsCovering(candidates, layouts.placementOf, { chunkId: chunk.chunkId, nodeIds })) {
      if (nodeIds.size >= topology.writeQuorum(placement.nodes.length)) return placement;
      wider ??= placement;
    }
    return undefined;
  });
  // The row names the wider layout, so that its other copies are wanted, repaired and counted like any others.
  const chosen = reaching && (wider ?? reaching);
  if (chosen !== undefined) return { layoutVersion: chosen.layoutVersion, missedNodeIds: missedOf(chosen) };
  const handedOff = await handedOffTo(context, chunk, nodeIds);
  if (handedOff !== undefined) return handedOff;
  if (wider === undefined) throw stale(chunk);
  const quorum = topology.writeQuorum(wider.nodes.length);
  throw new AshlarError("QUORUM_NOT_REACHED", `a chunk has ${nodeIds.size} receipts, ${quorum} are needed`, {
    details: { ...detailsOf(chunk), quorum: String(quorum) },
  });
}

/**
 * Receipts of nodes of which some stand in for others: a client that reaches too few nodes of a placement writes to others of the same layout. Their
 * copies are as good. Which nodes were away is the client's word; it costs no more than the repairs that a client causes who writes to a quorum alone.
 */
async function handedOffTo(
  { layouts, topology }: GatewayContext,
  { chunkId }: ChunkRef,
  nodeIds: ReadonlySet<string>,
): Promise<ProvenChunk | undefined> {
  for (const layout of await layouts.layoutsInUse()) {
    const members = new Set(layout.nodes.flatMap(({ nodeId, weight }) => (weight > 0 ? [nodeId] : [])));
    const placed = layouts.placementOf(layout).nodesOf(chunkId);
    if ([...nodeIds].some((nodeId) => !members.has(nodeId))) continue;
    if (nodeIds.size < topology.writeQuorum(placed.length)) continue;
    const missedNodeIds = placed.filter((nodeId) => !nodeIds.has(nodeId));
    const standInNodeIds = [...nodeIds].filter((nodeId) => !placed.includes(nodeId)).slice(0, missedNodeIds.length);
    return { layoutVersion: layout.layoutVersion, missedNodeIds, standInNodeIds };
  }
  return undefined;
}

/** Looks in the layouts in use, then in recent ones (as long as the longest upload), then asks the registry for newer ones. */
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
