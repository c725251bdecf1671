import type { ClusterSnapshot } from "@ashlar/sdk";
import { shares } from "@ashlar/sdk/ring";
import { formatCount, formatShare, formatTable } from "../../observability/format.ts";
import { movesLine } from "../health/moves.ts";
import type { Redundancy } from "../health/redundancy.ts";
import { repairsLine } from "../health/repairs.ts";
import { layoutWarnings } from "./layout-risks.ts";
import { placingNodeIds } from "./layouts-in-use.ts";

/** `layout show --json`: the layouts in use, newest first, the shares by the newest one, and what is behind it. */
export function layoutsJson(snapshot: ClusterSnapshot, { moves, repairs, ...times }: Redundancy): object {
  const [newest] = snapshot.layouts;
  return {
    layoutVersion: newest?.layoutVersion ?? 0,
    isBehind: snapshot.layouts.length > 1,
    layouts: snapshot.layouts,
    nodes: newest === undefined ? [] : shares(newest),
    chunksBehind: snapshot.layouts.length > 1 ? moves?.chunkCount : 0,
    repairs,
    workCountedAtMs: times.workCountedAtMs,
    expectedEndAtMs: times.expectedEndAtMs,
  };
}

/** The same for people. */
export function describeLayouts(snapshot: ClusterSnapshot, { moves, repairs }: Redundancy, nowMs: number): string {
  const [newest, ...older] = snapshot.layouts;
  if (newest === undefined) return "no layout: one local store holds everything, or no storage node has registered yet";
  const { layoutVersion, replicationFactor } = newest;
  const states = new Map(snapshot.nodes.map(({ nodeId, state }) => [nodeId, state]));
  const rows = shares(newest).map((share) => [
    ...[share.nodeId, share.zone ?? "", states.get(share.nodeId) ?? "unknown", String(share.weight)],
    ...[formatShare(share.totalShare), formatShare(share.fairShare)],
  ]);
  const taking = placingNodeIds(newest);
  const lines = [
    `layout ${layoutVersion} is in use: ${formatCount(replicationFactor, "copy", "copies")} of each chunk`,
    formatTable([["node", "zone", "state", "weight", "share", "fair"], ...rows]),
    ...layoutWarnings(newest).map((warning) => `warning: ${warning}`),
  ];
  for (const layout of older) {
    const only = placingNodeIds(layout).filter((nodeId) => !taking.includes(nodeId));
    const needs = only.length === 0 ? "" : `, which needs ${only.join(", ")} too`;
    lines.push(`some chunks still follow layout ${layout.layoutVersion}${needs}`);
  }
  if (older.length === 0) lines.push(`nothing is behind: every chunk follows layout ${layoutVersion}`);
  else if (moves !== undefined) lines.push(movesLine(moves, nowMs));
  if (repairs !== undefined) lines.push(repairsLine(repairs, nowMs));
  return lines.join("\n");
}
