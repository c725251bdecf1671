import { AshlarError } from "@ashlar/sdk/errors";
import { type LostDisk, type LostDiskKind, lostDiskWords, type NodeRegistration } from "@ashlar/sdk/ports";

/** What the registry remembers of a node's folder. */
export interface KnownFolder {
  readonly folderId?: string | undefined;
  /** By the last heartbeat; `undefined` before the first. */
  readonly chunkCount?: number | undefined;
  readonly bytesUsed?: number | undefined;
  readonly lostDisk?: LostDisk | undefined;
}

/**
 * What a registration shows to be lost; `undefined` if nothing is. Fewer chunks than before are no loss, because chunks are collected: only a folder
 * without any, or another folder, is.
 */
export function newLostDisk(
  known: KnownFolder | undefined,
  { folderId, chunkCount }: NodeRegistration,
  nowMs: number,
): LostDisk | undefined {
  if (known === undefined) return undefined;
  const isOther = folderId !== undefined && known.folderId !== undefined && folderId !== known.folderId;
  const isEmpty = chunkCount === 0;
  if (!isOther && !(isEmpty && (known.chunkCount ?? 0) > 0)) return undefined;
  const kind: LostDiskKind = !isOther ? "emptied" : isEmpty ? "replaced" : "other";
  const before = known.lostDisk;
  return {
    ...{ kind, atMs: nowMs, isQueued: false },
    // A second loss, before everything was restored: the first one says more.
    chunkCount: Math.max(known.chunkCount ?? 0, before?.chunkCount ?? 0),
    bytesUsed: Math.max(known.bytesUsed ?? 0, before?.bytesUsed ?? 0),
  };
}

/** Whether a node that asks for it is refused. A new folder in place of one that is not known to have held anything is no reason. */
export function isRefused({ refuseLostDisk = false }: NodeRegistration, lostDisk: LostDisk): boolean {
  return refuseLostDisk && (lostDisk.kind === "other" || lostDisk.chunkCount > 0);
}

/** The error of a registration that is refused because of a lost disk. */
export function diskLost(nodeId: string, { kind, chunkCount, bytesUsed }: LostDisk): AshlarError {
  return new AshlarError(
    "PRECONDITION_FAILED",
    `the node ${nodeId} lost its disk: ${lostDiskWords(kind)}, and its last heartbeat told of ${chunkCount} chunks (${bytesUsed} bytes). Mount the right disk, or start the node without --refuse-lost-disk (REFUSE_LOST_DISK): then its copies are restored from the other nodes`,
    { details: { reason: "LOST_DISK", nodeId, kind, chunkCount: String(chunkCount) } },
  );
}
