import type { ClusterSnapshot } from "@ashlar/sdk";
import { shownUrl } from "@ashlar/sdk/ports";
import { type ServerShare, shares } from "@ashlar/sdk/ring";
import { formatBytes, formatShare, formatTable } from "../../observability/format.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { CLUSTER_SETTINGS, openCluster } from "../open-client.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "json", "debug"] as const;

export const ringCommand = defineCommand({
  name: "ring",
  summary: "show the ring: which server holds which share of the chunks",
  arguments: [],
  settings: SETTINGS,
  examples: ["ring --gateway http://127.0.0.1:9000"],
  async run({ settings, signal, output }: CommandCall<(typeof SETTINGS)[number]>) {
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    const [layout] = snapshot.layouts;
    const view = layout === undefined ? [] : shares(layout);
    const value = {
      layoutVersion: layout?.layoutVersion ?? 0,
      replicationFactor: layout?.replicationFactor ?? 1,
      layoutsInUse: snapshot.layouts.length,
      servers: view.map((share) => ({ ...share, ...factsOf(snapshot, share.serverId) })),
    };
    await output.result(value, describe(snapshot, view));
    return 0;
  },
});

function factsOf(snapshot: ClusterSnapshot, serverId: string): Record<string, unknown> {
  const { url, state, lastHeartbeatAtMs, stats } =
    snapshot.servers.find((server) => server.serverId === serverId) ?? {};
  return { url: url && shownUrl(url), state: state ?? "unknown", lastHeartbeatAtMs, ...stats };
}

function describe(snapshot: ClusterSnapshot, view: readonly ServerShare[]): string {
  const [layout, ...older] = snapshot.layouts;
  if (layout === undefined) return "no ring: one local store holds everything, or no storage node has registered yet";
  const heading = [
    "server",
    "zone",
    "state",
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
    const server = snapshot.servers.find((candidate) => candidate.serverId === share.serverId);
    const stats = server?.stats;
    return [
      share.serverId,
      share.zone ?? "",
      server?.state ?? "unknown",
      String(share.weight),
      String(share.virtualNodes),
      formatShare(share.primaryShare),
      formatShare(share.totalShare),
      formatShare(share.fairShare),
      stats === undefined ? "-" : String(stats.chunkCount),
      stats === undefined ? "-" : formatBytes(stats.bytesUsed),
      stats === undefined ? "-" : formatBytes(stats.bytesFree),
      server === undefined ? "-" : shownUrl(server.url),
    ];
  });
  const lines = [
    `layout ${layout.layoutVersion}, ${layout.replicationFactor} copies of each chunk, ${layout.virtualNodesPerServer} virtual nodes per server`,
    formatTable([heading, ...rows]),
  ];
  if (older.length > 0) {
    lines.push(`older layouts still in use: ${older.map((entry) => entry.layoutVersion).join(", ")}`);
  }
  return lines.join("\n");
}
