import { AshlarError } from "@ashlar/sdk/errors";
import type { Layout, LostDisk, NodeRegistration, NodeState } from "@ashlar/sdk/ports";

/** The layouts that place chunks on a node. */
function placingOn(layouts: readonly Layout[], nodeId: string): readonly Layout[] {
  return layouts.filter(({ nodes }) => nodes.some((node) => node.nodeId === nodeId && node.weight > 0));
}

/**
 * Refuses to forget a node that is part of the cluster.
 *
 * @param cluster.layouts in use, newest first.
 * @throws {AshlarError} PRECONDITION_FAILED if it is up, in the newest layout, or, without `acceptLoss`, named by an older one in use.
 */
export function assertForgettable(
  { nodeId, state }: { readonly nodeId: string; readonly state: NodeState },
  { layouts, acceptLoss = false }: { readonly layouts: readonly Layout[]; readonly acceptLoss?: boolean | undefined },
): void {
  const refuse = (reason: string, message: string): never => {
    throw new AshlarError("PRECONDITION_FAILED", message, { details: { nodeId, reason } });
  };
  if (layouts[0]?.nodes.some((node) => node.nodeId === nodeId) === true) {
    const [version, remedy] = [layouts[0].layoutVersion, `take it out first: ashlar layout --remove ${nodeId}`];
    refuse("IN_LAYOUT", `${nodeId} is part of layout ${version}, which is in use; ${remedy}`);
  }
  if (state === "up") refuse("UP", `${nodeId} is up, and would register again; stop it first`);
  const versions = placingOn(layouts, nodeId).map(({ layoutVersion }) => layoutVersion);
  if (versions.length === 0 || acceptLoss) return;
  refuse(
    "NEEDED",
    `some chunks still follow layout ${versions.join(", ")}, which places copies on ${nodeId}: wait until \`ashlar layout show\` says that nothing is behind, or give its copies up with --force`,
  );
}

/**
 * What a node lacks that registers for the first time under an id that an older layout in use names: it was forgotten while chunks followed that
 * layout, so nobody remembers its folder. Whatever the folder holds, its copies count as lost until they are put again, which costs little for those
 * that are there.
 */
export function forgottenDisk(
  { nodeId, chunkCount = 0 }: NodeRegistration,
  layouts: readonly Layout[],
  nowMs: number,
): LostDisk | undefined {
  if (placingOn(layouts, nodeId).length === 0) return undefined;
  return { kind: chunkCount === 0 ? "replaced" : "other", atMs: nowMs, chunkCount: 0, bytesUsed: 0, isQueued: false };
}
