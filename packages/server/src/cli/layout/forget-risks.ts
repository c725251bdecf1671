import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { nodeNotFound, systemClock } from "@ashlar/sdk/ports";
import { formatCount } from "../../observability/format.ts";
import { ageText } from "../health/figure-age.ts";
import { awaySinceMs } from "./away-since.ts";
import { COUNT_WAIT_TEXT, type RemovalFacts } from "./layout-risks.ts";
import { layoutsPlacingOn } from "./layouts-in-use.ts";

/**
 * Refuses to forget nodes that are part of the cluster, or that may have a copy that is needed: one that no layout names any more may still be the last
 * of its chunk. The registry looks again when it forgets them.
 *
 * @throws {AshlarError} NODE_NOT_FOUND; PRECONDITION_FAILED for a node that is in the newest layout or up, and without `force` for one that may have
 *   copies that are needed, or if no gateway tells.
 */
export function assertForgettable(
  facts: RemovalFacts,
  nodeIds: readonly string[],
  { force }: { readonly force: boolean },
): void {
  const { snapshot, answers } = facts;
  const [newest] = snapshot.layouts;
  for (const nodeId of nodeIds) {
    const record = snapshot.nodes.find((node) => node.nodeId === nodeId);
    if (record === undefined) throw nodeNotFound(nodeId);
    if (newest?.nodes.some((node) => node.nodeId === nodeId) === true)
      refuse(
        nodeId,
        `${nodeId} is part of layout ${newest.layoutVersion}; take it out first: ashlar layout --remove ${nodeId}`,
      );
    const answer = answers.get(nodeId);
    const isRefused = answer !== undefined && "reason" in answer && answer.isRefused;
    if (record.state === "up")
      refuse(
        nodeId,
        isRefused
          ? `${nodeId} does not run, and counts as up for half a minute after its last heartbeat: try again then`
          : `${nodeId} is up, and would register again: stop it first`,
      );
    if (!force) assertUnneeded(facts, nodeId);
  }
}

function assertUnneeded({ snapshot, figures }: RemovalFacts, nodeId: string): void {
  const versions = layoutsPlacingOn(snapshot.layouts, [nodeId]).map(({ layoutVersion }) => layoutVersion);
  if (versions.length > 0)
    refuse(
      nodeId,
      `some chunks still follow layout ${versions.join(", ")}, which places copies on ${nodeId}: wait until \`ashlar layout show\` says that nothing is behind, or give its copies up with --force`,
    );
  if (figures.countedAtMs === undefined)
    refuse(
      nodeId,
      `no gateway tells whether every chunk has a copy without ${nodeId}: name one with --gateway, or give its copies up with --force`,
    );
  else if (figures.countedAtMs < awaySinceMs(snapshot.nodes.filter((node) => node.nodeId === nodeId)))
    refuse(
      nodeId,
      `the gateway has not counted the copies since ${nodeId} went away (${COUNT_WAIT_TEXT}); or give its copies up with --force`,
    );
  const short = figures.copies?.byCopies[0] ?? 0;
  if (short > 0)
    refuse(
      nodeId,
      `${formatCount(short, "chunk")} ${short === 1 ? "has" : "have"} no copy on a node that is up${ageText(figures.countedAtMs, systemClock.nowMs())}, and may be on ${nodeId}: start it again, or give its copies up with --force`,
    );
}

function refuse(nodeId: string, message: string): never {
  throw new AshlarError("PRECONDITION_FAILED", message, { details: { nodeId } });
}

/** What `--force` gives up. */
export function lossText({ layouts }: ClusterSnapshot, nodeIds: readonly string[]): string {
  const versions = layoutsPlacingOn(layouts, nodeIds).map(({ layoutVersion }) => layoutVersion);
  const names = nodeIds.join(", ");
  const counted =
    versions.length === 0
      ? ""
      : `; chunks that follow layout ${versions.join(", ")} have one copy less from now on, until copies are made on other nodes`;
  return `chunks whose only copy is on ${names} are lost, unless it comes back with its disk${counted}`;
}
