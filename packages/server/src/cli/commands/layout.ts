import { AshlarError } from "@ashlar/sdk/errors";
import { type CommandCall, defineCommand } from "../command.ts";
import { CLUSTER_SETTINGS, openCluster } from "../open-client.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "weights", "removeNodes", "layoutReplicationFactor", "json", "debug"] as const;

export const layoutCommand = defineCommand({
  name: "layout",
  summary: "change the layout: weights, copies, or take a node out of it; needs an admin key",
  arguments: [],
  settings: SETTINGS,
  examples: ["layout --weights n3=0", "layout --remove n3 --replication-factor 2"],
  async run({ settings, signal, output }: CommandCall<(typeof SETTINGS)[number]>) {
    const { removeNodes: removeNodeIds, layoutReplicationFactor: replicationFactor } = settings;
    const weights = parseWeights(settings.weights);
    if (weights === undefined && removeNodeIds.length === 0 && replicationFactor === undefined) {
      throw new AshlarError("INVALID_ARGUMENT", "nothing to change: give --weights, --remove or --replication-factor");
    }
    await using cluster = await openCluster(settings);
    const layout = await cluster.registry.changeLayout({ weights, removeNodeIds, replicationFactor }, { signal });
    const names = layout.nodes.map((node) => `${node.nodeId}=${node.weight}`).join(", ");
    await output.result(
      layout,
      `layout ${layout.layoutVersion} is in use: ${layout.replicationFactor} copies on ${names}`,
    );
    return 0;
  },
});

function parseWeights(entries: readonly string[]): Readonly<Record<string, number>> | undefined {
  if (entries.length === 0) return undefined;
  return Object.fromEntries(
    entries.map((entry) => {
      const [, nodeId, weight] = entry.match(/^([^=]+)=(\d+(?:\.\d+)?)$/) ?? [];
      if (nodeId !== undefined && weight !== undefined) return [nodeId, Number(weight)];
      throw new AshlarError("INVALID_ARGUMENT", `a weight is written id=number, not "${entry}"`);
    }),
  );
}
