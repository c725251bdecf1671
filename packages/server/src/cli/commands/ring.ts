import type { ClusterSnapshot } from "@ashlar/sdk";
import { type NodeRecord, shownUrl, systemClock } from "@ashlar/sdk/ports";
import { type NodeShare, shares } from "@ashlar/sdk/ring";
import { formatBytes, formatDuration, formatShare, formatTable, formatTime } from "../../observability/format.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { askNodes, type NodeAnswers } from "../health/ask-nodes.ts";
import { askRedundancy, type Redundancy, redundancyJson, redundancyLines } from "../health/redundancy.ts";
import { CLUSTER_SETTINGS, openCluster } from "../open-client.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "json", "debug"] as const;

export const ringCommand = defineCommand({
  name: "ring",
  summary: "show the ring: which node holds which share of the chunks",
  arguments: [],
  settings: SETTINGS,
  examples: ["ring --gateway http://127.0.0.1:9000"],
  async run({ settings, signal, output }: CommandCall<(typeof SETTINGS)[number]>) {
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    const [layout] = snapshot.layouts;
    const view = layout === undefined ? [] : shares(layout);
    // The registry takes a node that was killed for up until it misses three heartbeats.
    const answers = await askNodes(snapshot.nodes, signal);
    const redundancy: Redundancy = settings.gateway === undefined ? {} : await askRedundancy(settings.gateway, signal);
    const value = {
      layoutVersion: layout?.layoutVersion ?? 0,
      replicationFactor: layout?.replicationFactor ?? 1,
      placementFormat: layout?.placementFormat ?? 1,
      layoutsInUse: snapshot.layouts.length,
      ...redundancyJson(redundancy),
      nodes: view.map((share) => ({ ...share, ...factsOf(snapshot, answers, share.nodeId) })),
    };
    const nowMs = systemClock.nowMs();
    const lines = [describe(snapshot, { view, answers, nowMs }), ...redundancyLines(redundancy, nowMs)];
    await output.result(value, lines.join("\n"));
    return 0;
  },
});

/** `state` is the registry's. `answers` says whether the node answers this machine now; absent: it was not asked. */
function factsOf(snapshot: ClusterSnapshot, nodeAnswers: NodeAnswers, nodeId: string): Record<string, unknown> {
  const { url, state, lastHeartbeatAtMs, stats, lostDisk } =
    snapshot.nodes.find((node) => node.nodeId === nodeId) ?? {};
  const answer = nodeAnswers.get(nodeId);
  const problem = answer !== undefined && "reason" in answer ? answer.reason : undefined;
  const answers = answer === undefined ? undefined : problem === undefined;
  const facts = { url: url && shownUrl(url), state: state ?? "unknown", answers, problem };
  return { ...facts, lastHeartbeatAtMs, ...stats, lostDisk };
}

/** What the node says now counts more than its last heartbeat. */
function stateOf(node: NodeRecord | undefined, answers: NodeAnswers): string {
  if (node === undefined) return "unknown";
  const answer = answers.get(node.nodeId);
  if (answer === undefined || !("reason" in answer)) return node.state;
  return answer.isRefused ? "does not run" : "no answer";
}

function describe(
  snapshot: ClusterSnapshot,
  {
    view,
    answers,
    nowMs,
  }: { readonly view: readonly NodeShare[]; readonly answers: NodeAnswers; readonly nowMs: number },
): string {
  const [layout, ...older] = snapshot.layouts;
  if (layout === undefined) return "no ring: one local store holds everything, or no storage node has registered yet";
  const heading = [
    "node",
    "zone",
    "state",
    "last heartbeat",
    "weight",
    "virtual nodes",
    "first",
    "share",
    "fair",
    "chunks",
    "used",
    "free",
    "url",
  ];
  const rows = view.map((share) => {
    const node = snapshot.nodes.find((candidate) => candidate.nodeId === share.nodeId);
    const stats = node?.stats;
    return [
      share.nodeId,
      share.zone ?? "",
      stateOf(node, answers),
      node === undefined ? "-" : `${formatDuration(Math.max(0, nowMs - node.lastHeartbeatAtMs))} ago`,
      String(share.weight),
      String(share.virtualNodes),
      formatShare(share.primaryShare),
      formatShare(share.totalShare),
      formatShare(share.fairShare),
      stats === undefined ? "-" : String(stats.chunkCount),
      stats === undefined ? "-" : formatBytes(stats.bytesUsed),
      stats === undefined ? "-" : formatBytes(stats.bytesFree),
      node === undefined ? "-" : shownUrl(node.url),
    ];
  });
  const lines = [
    `layout ${layout.layoutVersion}, ${layout.replicationFactor} copies of each chunk, ${layout.placementFormat === 2 ? "placement format 2" : `${layout.virtualNodesPerNode} virtual nodes per node`}`,
    formatTable([heading, ...rows]),
  ];
  for (const { nodeId, lostDisk } of snapshot.nodes) {
    if (lostDisk !== undefined)
      lines.push(`${nodeId} lost its disk on ${formatTime(lostDisk.atMs)} UTC; \`health\` says what to do`);
  }
  if (older.length > 0) {
    lines.push(`older layouts still in use: ${older.map((entry) => entry.layoutVersion).join(", ")}`);
  }
  return lines.join("\n");
}
