import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Layout, nodeNotFound, systemClock } from "@ashlar/sdk/ports";
import { formatCount, formatDuration } from "../../observability/format.ts";
import type { NodeAnswers } from "../health/ask-nodes.ts";
import { ageText } from "../health/figure-age.ts";
import type { Redundancy } from "../health/redundancy.ts";
import { awaySinceMs } from "./away-since.ts";
import { layoutsPlacingOn, placingNodeIds } from "./layouts-in-use.ts";

/**
 * Refuses a drain that makes no sense or leaves too few nodes.
 *
 * @throws {AshlarError} NODE_NOT_FOUND; PRECONDITION_FAILED if no node would take chunks, or, without `force`, fewer than there are copies.
 */
export function assertDrainable(
  { nodes, layouts: [newest] }: ClusterSnapshot,
  nodeIds: readonly string[],
  { force }: { readonly force: boolean },
): void {
  const known = new Set([...nodes, ...(newest?.nodes ?? [])].map(({ nodeId }) => nodeId));
  const unknown = nodeIds.find((nodeId) => !known.has(nodeId));
  if (unknown !== undefined) throw nodeNotFound(unknown);
  if (newest === undefined) throw new AshlarError("PRECONDITION_FAILED", "no storage node is in the layout yet");
  const taking = placingNodeIds(newest);
  // A node that takes no chunks already changes nothing: asking again waits again.
  if (!taking.some((nodeId) => nodeIds.includes(nodeId))) return;
  const left = taking.filter((nodeId) => !nodeIds.includes(nodeId));
  if (left.length === 0) {
    const message = `${nodeIds.join(", ")} ${nodeIds.length === 1 ? "is the last node that takes" : "are the last nodes that take"} chunks: there is nowhere to move their copies; start another node first`;
    throw new AshlarError("PRECONDITION_FAILED", message);
  }
  if (left.length >= newest.replicationFactor || force) return;
  throw new AshlarError(
    "PRECONDITION_FAILED",
    `${newest.replicationFactor} copies of each chunk are wanted, and only ${formatCount(left.length, "node")} would take chunks (${left.join(", ")}): start another node first, ask for fewer copies (ashlar layout --replication-factor ${left.length}), or accept it with --force`,
    { details: { replicationFactor: String(newest.replicationFactor), nodeIds: left.join(", ") } },
  );
}

/** What is known when nodes are to be removed. */
export interface RemovalFacts {
  readonly snapshot: ClusterSnapshot;
  readonly answers: NodeAnswers;
  readonly figures: Redundancy;
}

/** The nodes that are in the newest layout and not up, by their own answer or the registry. */
export function awayNodes({ snapshot, answers }: Omit<RemovalFacts, "figures">, nodeIds: readonly string[]): string[] {
  const [newest] = snapshot.layouts;
  return nodeIds.filter((nodeId) => {
    if (newest?.nodes.some((node) => node.nodeId === nodeId) !== true) return false;
    const answer = answers.get(nodeId);
    const isRefused = answer !== undefined && "reason" in answer && answer.isRefused;
    return isRefused || snapshot.nodes.find((node) => node.nodeId === nodeId)?.state !== "up";
  });
}

/**
 * Refuses to remove a node that is not up while a chunk may have its only copy there.
 *
 * The figures count only if they are newer than the node's absence: a count from before took its copies for ones that are up.
 *
 * @throws {AshlarError} PRECONDITION_FAILED.
 */
export function assertRemovable(facts: RemovalFacts, nodeIds: readonly string[]): void {
  const { snapshot, figures } = facts;
  const needed = awayNodes(facts, nodeIds).filter((nodeId) => layoutsPlacingOn(snapshot.layouts, [nodeId]).length > 0);
  if (needed.length === 0) return;
  const names = needed.join(", ");
  const [verb, them] = needed.length === 1 ? ["is", "it"] : ["are", "them"];
  const remedy = `start ${them} again (and drain ${them} with \`ashlar layout drain\`), or give ${them} up with --force`;
  const refuse = (why: string): never => {
    throw new AshlarError("PRECONDITION_FAILED", `${names} ${verb} not up, and ${why}; ${remedy}`, {
      details: { nodeIds: names },
    });
  };
  if (figures.countedAtMs === undefined) {
    refuse("no gateway tells how many copies the chunks have without: name one with --gateway");
    return;
  }
  const records = snapshot.nodes.filter(({ nodeId }) => needed.includes(nodeId));
  if (figures.countedAtMs < awaySinceMs(records)) {
    refuse(`the gateway has not counted the copies since (${COUNT_WAIT_TEXT})`);
  }
  const withoutCopy = figures.copies?.byCopies[0] ?? 0;
  if (withoutCopy > 0)
    refuse(
      `${formatCount(withoutCopy, "chunk")} ${withoutCopy === 1 ? "has" : "have"} no copy on a node that is up${ageText(figures.countedAtMs, systemClock.nowMs())}`,
    );
}

/** A gateway counts at most every five minutes, after a round of repair. */
const COUNT_INTERVAL_MS = 6 * 60_000;
/** What to do about a count that is too old. */
export const COUNT_WAIT_TEXT: string = `it does within ${formatDuration(COUNT_INTERVAL_MS)}; try again then`;

/** What a layout asks for and cannot have, and nodes of it that take no chunks, in plain words. */
export function layoutWarnings(layout: Layout): readonly string[] {
  const drained = layout.nodes.filter(({ weight }) => weight === 0).map(({ nodeId }) => nodeId);
  return [
    ...shortageWarnings(layout),
    ...drained.map((nodeId) => `${nodeId} has weight 0: it takes no chunks`),
    ...formatWarnings(layout),
  ];
}

/** From here on a change of the layout in placement format 1 moves more than 1.1 times its share. */
const FORMAT_1_NODES_MAX = 50;

function formatWarnings({ placementFormat = 1, nodes }: Layout): readonly string[] {
  if (placementFormat !== 1 || nodes.length <= FORMAT_1_NODES_MAX) return [];
  return [
    `in placement format 1, a change of a layout of ${nodes.length} nodes moves more copies than it has to: see \`ashlar layout --placement-format 2 --dry-run\``,
  ];
}

/** What a layout asks for and cannot have. */
export function shortageWarnings(layout: Layout): readonly string[] {
  const taking = layout.nodes.filter(({ weight }) => weight > 0);
  const zones = new Set(taking.map(({ zone, nodeId }) => zone ?? `node ${nodeId}`));
  const copies = formatCount(layout.replicationFactor, "copy", "copies");
  return [
    ...(taking.length < layout.replicationFactor
      ? [`${copies} of each chunk are wanted, but only ${formatCount(taking.length, "node")} would take chunks`]
      : []),
    ...(taking.length >= layout.replicationFactor && zones.size < layout.replicationFactor
      ? [
          `${copies} of each chunk are wanted, but there would be only ${formatCount(zones.size, "zone")}: some share one`,
        ]
      : []),
  ];
}
