import type { ClusterSnapshot } from "@ashlar/sdk";
import { LIMITS } from "@ashlar/sdk/limits";
import { changedLayout, type Layout, type LayoutChange } from "@ashlar/sdk/ports";
import { createPlacement, type Placement, shares } from "@ashlar/sdk/ring";
import { formatBytes, formatCount, formatShare, formatTable } from "../../observability/format.ts";
import { layoutWarnings } from "./layout-risks.ts";

/** What a node would hold before and after a change; shares are fractions of 1 of all copies. */
export interface PreviewedNode {
  readonly nodeId: string;
  readonly zone: string | undefined;
  /** Absent: it is not in that layout. */
  readonly weightBefore: number | undefined;
  readonly weightAfter: number | undefined;
  readonly shareBefore: number;
  readonly shareAfter: number;
}

/** What a change of the layout would do. */
export interface LayoutPreview {
  readonly layoutVersion: number;
  readonly replicationFactor: number;
  readonly nodes: readonly PreviewedNode[];
  /** Part of all copies under the new layout that lie on nodes where the present one does not place them: these are made anew. */
  readonly movingShare: number;
  /** The same in bytes, by what the nodes told last that they hold. Absent: none of them told it. */
  readonly movingBytes: number | undefined;
  /** Of the layout after the change. */
  readonly placementFormat: number;
  readonly zoneCount: number;
  readonly warnings: readonly string[];
}

/** Computes what a change would do. Exact, over all partitions. @throws {AshlarError} NODE_NOT_FOUND, INVALID_ARGUMENT as the change itself. */
export function previewLayout({ nodes, layouts: [before] }: ClusterSnapshot, change: LayoutChange): LayoutPreview {
  const registered = new Map(nodes.map(({ nodeId, zone, weight }) => [nodeId, { nodeId, zone, weight }]));
  const { VIRTUAL_NODES_PER_NODE: virtualNodesPerNode, PLACEMENT_FORMAT_NEWEST: placementFormat } = LIMITS;
  const defaults = { replicationFactor: 3, virtualNodesPerNode, placementFormat };
  const after = changedLayout(before, change, { registered, defaults });
  const [sharesBefore, sharesAfter] = [sharesOf(before), sharesOf(after)];
  const moving = before === undefined ? 0 : movingShare(before, after);
  const held = nodes.flatMap(({ stats }) => (stats === undefined ? [] : [stats.bytesUsed]));
  const ids = [...new Set([...sharesBefore.keys(), ...sharesAfter.keys()])].sort();
  return {
    layoutVersion: after.layoutVersion,
    replicationFactor: after.replicationFactor,
    nodes: ids.map((nodeId) => {
      const [was, is] = [sharesBefore.get(nodeId), sharesAfter.get(nodeId)];
      return {
        nodeId,
        zone: (is ?? was)?.zone,
        ...{ weightBefore: was?.weight, weightAfter: is?.weight },
        ...{ shareBefore: was?.totalShare ?? 0, shareAfter: is?.totalShare ?? 0 },
      };
    }),
    movingShare: moving,
    movingBytes: held.length === 0 ? undefined : Math.round(moving * held.reduce((sum, bytes) => sum + bytes, 0)),
    placementFormat: after.placementFormat ?? 1,
    zoneCount: new Set(after.nodes.filter(({ weight }) => weight > 0).map(({ zone, nodeId }) => zone ?? ` ${nodeId}`))
      .size,
    warnings: layoutWarnings(after),
  };
}

const sharesOf = (layout: Layout | undefined): Map<string, ReturnType<typeof shares>[number]> =>
  new Map((layout === undefined ? [] : shares(layout)).map((share) => [share.nodeId, share]));

function movingShare(before: Layout, after: Layout): number {
  const [from, to] = [createPlacement(before), createPlacement(after)];
  // Both counts are powers of two: each partition of the coarser table is a whole number of those of the finer one.
  const partitionCount = Math.max(from.partitionCount, to.partitionCount);
  const nodesAt = (placement: Placement, partition: number): readonly string[] =>
    placement.nodesOfPartition(Math.floor((partition * placement.partitionCount) / partitionCount));
  let moving = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    const held = nodesAt(from, partition);
    moving += nodesAt(to, partition).filter((nodeId) => !held.includes(nodeId)).length;
  }
  return moving / (partitionCount * to.replicaCount);
}

/** The preview for people. */
export function previewText(preview: LayoutPreview): string {
  const { layoutVersion, replicationFactor, nodes, movingShare: moving, movingBytes, zoneCount, warnings } = preview;
  const weight = (value: number | undefined): string => (value === undefined ? "-" : String(value));
  const rows = nodes.map((node) => [
    ...[node.nodeId, node.zone ?? "", weight(node.weightBefore), weight(node.weightAfter)],
    ...[formatShare(node.shareBefore), formatShare(node.shareAfter)],
  ]);
  return [
    `layout ${layoutVersion} would have ${formatCount(replicationFactor, "copy", "copies")} of each chunk in ${formatCount(zoneCount, "zone")}; nothing was changed`,
    formatTable([["node", "zone", "weight", "then", "share", "then"], ...rows]),
    `${formatShare(moving)} of all copies would be made on other nodes than now${movingBytes === undefined ? "" : `: about ${formatBytes(movingBytes)}`}`,
    ...warnings.map((warning) => `warning: ${warning}`),
  ].join("\n");
}
