import type { ClusterSnapshot } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { type LayoutChange, systemClock } from "@ashlar/sdk/ports";
import { formatCount } from "../../observability/format.ts";
import { type CommandCall, defineCommand, listArgument } from "../command.ts";
import { WEIGHT_MAX } from "../config.ts";
import { exitCodeOf } from "../exit-codes.ts";
import { askNodes } from "../health/ask-nodes.ts";
import { type LayoutPreview, previewLayout, previewText } from "../layout/layout-preview.ts";
import { assertDrainable, assertRemovable, awayNodes } from "../layout/layout-risks.ts";
import { askFigures, type LeaveResult, leaveNodes } from "../layout/leave-nodes.ts";
import { refusalOf } from "../layout/refusal.ts";
import { describeLayouts, layoutsJson } from "../layout/shown-layouts.ts";
import { CLUSTER_SETTINGS, type OpenedCluster, openCluster } from "../open-client.ts";
import { decimalNumber } from "../settings.ts";

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
    if (settings.layoutDryRun) {
      const snapshot = await cluster.registry.clusterSnapshot({ signal });
      return await preview(call, { snapshot, change, guard: () => guardRemoval(call, snapshot, removeNodeIds) });
    }
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
    const guard = (): void => assertDrainable(snapshot, nodeIds, { force: settings.layoutForce });
    if (!settings.layoutDryRun) guard();
    const [newest] = snapshot.layouts;
    const taking = (newest?.nodes ?? []).filter(({ nodeId, weight }) => weight > 0 && nodeIds.includes(nodeId));
    const change =
      taking.length === 0 ? undefined : { weights: Object.fromEntries(taking.map(({ nodeId }) => [nodeId, 0])) };
    if (settings.layoutDryRun) return await preview(call, { snapshot, change: change ?? {}, guard });
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
    await output.result(layoutsJson(snapshot, figures), describeLayouts(snapshot, figures, systemClock.nowMs()));
    return 0;
  },
});

/** @returns the exit code. */
async function removeNodes(call: ChangeCall, cluster: OpenedCluster, change: LayoutChange): Promise<number> {
  const { signal, output } = call;
  const nodeIds = change.removeNodeIds ?? [];
  const snapshot = await cluster.registry.clusterSnapshot({ signal });
  const { areAway } = await guardRemoval(call, snapshot, nodeIds);
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

/** @throws {AshlarError} PRECONDITION_FAILED if nodes must not be removed. @returns whether all of them are away. */
async function guardRemoval(
  { settings, signal }: Pick<ChangeCall, "settings" | "signal">,
  snapshot: ClusterSnapshot,
  nodeIds: readonly string[],
): Promise<{ readonly areAway: boolean }> {
  if (nodeIds.length === 0) return { areAway: false };
  const answers = await askNodes(
    snapshot.nodes.filter(({ nodeId }) => nodeIds.includes(nodeId)),
    signal,
  );
  if (!settings.layoutForce)
    assertRemovable({ snapshot, answers, figures: await askFigures(settings, signal) }, nodeIds);
  return { areAway: awayNodes({ snapshot, answers }, nodeIds).length === nodeIds.length };
}

/** What {@link preview} shows. */
interface Previewed {
  readonly snapshot: ClusterSnapshot;
  readonly change: LayoutChange;
  /** What refuses the change itself. */
  readonly guard: () => unknown;
}

/** Shows what a change would do, and whether it would be refused. @returns the exit code that the change would end with. */
async function preview({ output }: Pick<LeaveCall, "output">, { snapshot, change, guard }: Previewed): Promise<number> {
  const refused = await refusalOf(guard);
  if (refused === undefined) {
    const previewed = previewLayout(snapshot, change);
    await output.result(previewed, previewText(previewed));
    return 0;
  }
  const { code, message } = refused;
  const line = `would be refused: ${message} (${code})`;
  const previewed = previewIfPossible(snapshot, change);
  const value = { ...previewed, refused: { code, message } };
  await output.result(value, previewed === undefined ? line : `${previewText(previewed)}\n${line}`);
  return exitCodeOf(code);
}

/** @returns `undefined` for a change that leaves no layout to show. */
function previewIfPossible(snapshot: ClusterSnapshot, change: LayoutChange): LayoutPreview | undefined {
  try {
    return previewLayout(snapshot, change);
  } catch {
    return undefined;
  }
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
      const [, nodeId, text = ""] = entry.match(/^([^=]+)=(.*)$/) ?? [];
      const refuse = (message: string): never => {
        throw new AshlarError("INVALID_ARGUMENT", message, { details: { setting: "--weights" } });
      };
      if (nodeId === undefined) return refuse(`--weights takes id=number, such as n3=0.5, not "${entry}"`);
      const weight = decimalNumber(text);
      if (weight !== undefined && weight <= WEIGHT_MAX) return [nodeId, weight];
      return refuse(`--weights: the weight of ${nodeId} must be a number from 0 to ${WEIGHT_MAX}, not "${text}"`);
    }),
  );
}
