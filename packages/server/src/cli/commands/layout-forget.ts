import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { type CommandCall, defineCommand, listArgument } from "../command.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { askNodes } from "../health/ask-nodes.ts";
import { assertForgettable, lossText } from "../layout/forget-risks.ts";
import { askFigures } from "../layout/leave-nodes.ts";
import { refusalOf } from "../layout/refusal.ts";
import { CLUSTER_SETTINGS, openCluster } from "../open-client.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "forgetForce", "layoutDryRun", "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const layoutForgetCommand = defineCommand({
  name: "layout forget",
  summary:
    "no longer list nodes that are gone for good and not part of the layout; one that comes back joins as a new node; needs an admin key",
  arguments: [{ name: "<nodes...>", help: "ids of nodes, as `health` lists them" }],
  settings: SETTINGS,
  examples: ["layout forget n3", "layout forget n3 --dry-run"],
  async run(call: Call) {
    const { settings, signal, output } = call;
    const nodeIds = [...new Set(listArgument(call, 0).flatMap((argument) => argument.split(",")))];
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    const names = nodeIds.join(", ");
    const refused = await refusalOf(() => guard(call, snapshot, nodeIds));
    const loss = settings.forgetForce ? lossText(snapshot, nodeIds) : undefined;
    if (settings.layoutDryRun) {
      const { code, message } = refused ?? {};
      const value = { nodeIds, refused: refused && { code, message }, loss };
      const would = `${names} would be forgotten${loss === undefined ? "" : `; ${loss}`}`;
      await output.result(value, refused === undefined ? would : `would be refused: ${message} (${code})`);
      return refused === undefined ? 0 : exitCodeOf(refused.code);
    }
    if (refused !== undefined) throw refused;
    await cluster.registry.changeLayout({ forgetNodeIds: nodeIds, acceptLoss: settings.forgetForce }, { signal });
    const { nodes } = await cluster.registry.clusterSnapshot({ signal });
    const listed = nodes.filter(({ nodeId }) => nodeIds.includes(nodeId)).map(({ nodeId }) => nodeId);
    if (listed.length > 0) throw stillListed(listed);
    if (loss !== undefined) output.note(`warning: ${loss}`);
    const end = nodeIds.length === 1 ? "if it starts again, it joins" : "those that start again join";
    await output.result({ nodeIds, loss }, `${names} ${nodeIds.length === 1 ? "is" : "are"} forgotten; ${end} as new`);
    return 0;
  },
});

async function guard(
  { settings, signal }: Pick<Call, "settings" | "signal">,
  snapshot: ClusterSnapshot,
  nodeIds: readonly string[],
): Promise<void> {
  const answers = await askNodes(
    snapshot.nodes.filter(({ nodeId }) => nodeIds.includes(nodeId)),
    signal,
  );
  const figures = await askFigures(settings, signal);
  assertForgettable({ snapshot, answers, figures }, nodeIds, { force: settings.forgetForce });
}

/** A gateway of an earlier release does nothing; or a node has registered in that moment. */
function stillListed(nodeIds: readonly string[]): AshlarError {
  const names = nodeIds.join(", ");
  return new AshlarError(
    "PRECONDITION_FAILED",
    `${names} ${nodeIds.length === 1 ? "is" : "are"} still listed: the gateway is of an earlier release, or the node has just started again; see \`ashlar health\``,
    { details: { nodeIds: names } },
  );
}
