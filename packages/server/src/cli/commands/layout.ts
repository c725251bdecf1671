import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { LayoutChange } from "@ashlar/sdk/ports";
import { formatCount } from "../../observability/format.ts";
import { type CommandCall, defineCommand, listArgument } from "../command.ts";
import { askNodes } from "../health/ask-nodes.ts";
import { previewLayout, previewText } from "../layout/layout-preview.ts";
import { assertDrainable, assertRemovable, awayNodes } from "../layout/layout-risks.ts";
import { askFigures, type LeaveResult, leaveNodes } from "../layout/leave-nodes.ts";
import { describeLayouts, layoutsJson } from "../layout/shown-layouts.ts";
import { CLUSTER_SETTINGS, type OpenedCluster, openCluster } from "../open-client.ts";

const LEAVE_SETTINGS = [
  ...CLUSTER_SETTINGS,
  ...(["noWait", "layoutForce", "layoutDryRun", "quiet", "json", "debug"] as const),
] as const;
const CHANGE_SETTINGS = [
  ...LEAVE_SETTINGS,
  "weights",
  "removeNodes",
  "layoutReplicationFactor",
  "layoutPlacementFormat",
] as const;
const SHOW_SETTINGS = [...CLUSTER_SETTINGS, "json", "debug"] as const;

type ChangeCall = CommandCall<(typeof CHANGE_SETTINGS)[number]>;
type LeaveCall = CommandCall<(typeof LEAVE_SETTINGS)[number]>;

export const layoutChangeCommand = defineCommand({
  name: "layout change",
  summary:
    "change the layout: weights, copies, or take a node out of it; `layout` alone is the same; needs an admin key",
  isDefault: true,
  arguments: [],
  settings: CHANGE_SETTINGS,
  examples: [
    ...["layout --weights n3=0.5", "layout --remove n3", "layout --replication-factor 2 --dry-run"],
    "layout --placement-format 2 --dry-run",
  ],
  async run(call: ChangeCall) {
    const { settings, signal, output } = call;
    const { layoutReplicationFactor: replicationFactor, layoutPlacementFormat: placementFormat } = settings;
    const removeNodeIds = [...new Set(settings.removeNodes)];
    const weights = parseWeights(settings.weights);
    const change: LayoutChange = { weights, removeNodeIds, replicationFactor, placementFormat };
    if (removeNodeIds.length === 0 && (weights ?? replicationFactor ?? placementFormat) === undefined) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        "nothing to change: give --weights, --remove, --replication-factor or --placement-format",
      );
    }
    await using cluster = await openCluster(settings);
    if (settings.layoutDryRun) return await preview(call, cluster, change);
    if (removeNodeIds.length > 0) return await removeNodes(call, cluster, change);
    const layout = await cluster.registry.changeLayout(change, { signal });
    await output.result(layout, layoutText(layout));
    return 0;
  },
});

export const layoutDrainCommand = defineCommand({
  name: "layout drain",
  summary: "move all copies from nodes to others, and wait until they can be stopped; needs an admin key",
  arguments: [{ name: "<nodes...>", help: "ids of nodes, as `layout show` lists them" }],
  settings: LEAVE_SETTINGS,
  examples: ["layout drain n3", "layout drain n3 n4 --dry-run"],
  async run(call: LeaveCall) {
    const { settings, signal, output } = call;
    const nodeIds = [...new Set(listArgument(call, 0).flatMap((argument) => argument.split(",")))];
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    assertDrainable(snapshot, nodeIds, { force: settings.layoutForce || settings.layoutDryRun });
    const [newest] = snapshot.layouts;
    const taking = (newest?.nodes ?? []).filter(({ nodeId, weight }) => weight > 0 && nodeIds.includes(nodeId));
    const change =
      taking.length === 0 ? undefined : { weights: Object.fromEntries(taking.map(({ nodeId }) => [nodeId, 0])) };
    if (settings.layoutDryRun) return await preview(call, cluster, change ?? {});
    const left = await leaveNodes({ call, cluster, nodeIds, change });
    const { isDone } = left;
    const value = { layoutVersion: left.layout.layoutVersion, nodeIds, isDone };
    const members = nodeIds.filter((nodeId) => left.layout.nodes.some((node) => node.nodeId === nodeId));
    const then = members.length === 0 ? "" : `, and taken out: ashlar layout --remove ${members.join(",")}`;
    await output.result(
      value,
      isDone
        ? `${holdNothing(nodeIds)}: ${nodeIds.length === 1 ? "it" : "they"} can be stopped${then}`
        : `layout ${left.layout.layoutVersion} is in use: ${nodeIds.join(", ")} ${nodeIds.length === 1 ? "takes" : "take"} no new chunks; ${keepRunning(nodeIds)}`,
    );
    noteMissing(call, left);
    return 0;
  },
});

export const layoutShowCommand = defineCommand({
  name: "layout show",
  summary: "show the layouts in use, the nodes' shares, and what is behind the newest one",
  arguments: [],
  settings: SHOW_SETTINGS,
  examples: ["layout show --gateway http://127.0.0.1:9000"],
  async run({ settings, signal, output }: CommandCall<(typeof SHOW_SETTINGS)[number]>) {
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    const figures = await askFigures(settings, signal);
    await output.result(layoutsJson(snapshot, figures), describeLayouts(snapshot, figures));
    return 0;
  },
});

/** @returns the exit code. */
async function removeNodes(call: ChangeCall, cluster: OpenedCluster, change: LayoutChange): Promise<number> {
  const { settings, signal, output } = call;
  const nodeIds = change.removeNodeIds ?? [];
  const snapshot = await cluster.registry.clusterSnapshot({ signal });
  const answers = await askNodes(
    snapshot.nodes.filter(({ nodeId }) => nodeIds.includes(nodeId)),
    signal,
  );
  if (!settings.layoutForce)
    assertRemovable({ snapshot, answers, figures: await askFigures(settings, signal) }, nodeIds);
  const areAway = awayNodes({ snapshot, answers }, nodeIds).length === nodeIds.length;
  const left = await leaveNodes({ call, cluster, nodeIds, change });
  const { layout, isDone } = left;
  const end = isDone
    ? `${holdNothing(nodeIds)}${areAway ? "" : " and can be stopped"}`
    : areAway
      ? `the copies of ${nodeIds.join(", ")} are made on other nodes`
      : keepRunning(nodeIds);
  await output.result({ ...layout, isDone }, `${layoutText(layout)}\n${end}`);
  noteMissing(call, left);
  return 0;
}

async function preview(
  { output, signal }: Pick<LeaveCall, "output" | "signal">,
  cluster: OpenedCluster,
  change: LayoutChange,
): Promise<number> {
  const snapshot: ClusterSnapshot = await cluster.registry.clusterSnapshot({ signal });
  const previewed = previewLayout(snapshot, change);
  await output.result(previewed, previewText(previewed));
  return 0;
}

const layoutText = ({ layoutVersion, replicationFactor, nodes }: LeaveResult["layout"]): string =>
  `layout ${layoutVersion} is in use: ${replicationFactor} copies on ${nodes.map((node) => `${node.nodeId}=${node.weight}`).join(", ")}`;

const holdNothing = (nodeIds: readonly string[]): string =>
  `${nodeIds.join(", ")} ${nodeIds.length === 1 ? "holds" : "hold"} no copy that is needed any more`;

const keepRunning = (nodeIds: readonly string[]): string =>
  `copies are moving: keep ${nodeIds.join(", ")} running until \`ashlar layout show\` says that nothing is behind`;

/** Chunks may lack copies that no layout had on these nodes' account; until they are restored, each copy counts. */
function noteMissing({ output }: Pick<LeaveCall, "output">, { missingCount }: LeaveResult): void {
  if (missingCount === 0) return;
  output.note(
    `${formatCount(missingCount, "copy", "copies")} of chunks ${missingCount === 1 ? "is" : "are"} missing on other nodes: before you stop anything, see \`ashlar health\``,
  );
}

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
