import type { ClusterSnapshot } from "@ashlar/sdk";
import { majority } from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Layout, type LostDisk, lostDiskWords, type NodeRecord, shownUrl } from "@ashlar/sdk/ports";
import { createPlacement } from "@ashlar/sdk/ring";
import { lostDiskAction } from "../../node/index.ts";
import { formatBytes, formatCount, formatDuration, formatShare, formatTime } from "../../observability/format.ts";
import { awaySinceMs } from "../layout/away-since.ts";
import { layoutsPlacingOn } from "../layout/layouts-in-use.ts";
import { answerFinding, isUsable, type NodeAnswers } from "./ask-nodes.ts";
import { completeText } from "./copies.ts";
import { ageText } from "./figure-age.ts";
import { diskFinding, type Finding } from "./finding.ts";
import { type Losses, lossesOf, lossesText, movingWhy } from "./losses.ts";
import { type NodeState, nodeState } from "./node-state.ts";
import type { Redundancy } from "./redundancy.ts";

/** What {@link findClusterProblems} knows besides the registry. */
export interface ClusterFacts {
  /** What nodes say now; it counts more than their last heartbeats in the registry. */
  readonly answers?: NodeAnswers;
  readonly nowMs: number;
  /** What a gateway tells of the copies; other findings say it. Default: nobody was asked. */
  readonly redundancy?: Redundancy | undefined;
}

/** What is wrong with the nodes and layouts of a cluster. Pure. */
export function findClusterProblems(
  snapshot: ClusterSnapshot,
  { answers = new Map(), nowMs, redundancy = {} }: ClusterFacts,
): readonly Finding[] {
  const [layout] = snapshot.layouts;
  if (layout === undefined) {
    return [
      {
        level: "note",
        what: "no storage node has registered: one local store holds everything, or nothing can be written yet",
        why: "a cluster needs a node for each copy of a chunk",
        action: "for a cluster, start storage nodes: ashlar node --server-id n1 --data-dir <folder>",
      },
    ];
  }
  const losses = lossesOf(snapshot, answers);
  const context: NodeContext = { snapshot, layout, answers, nowMs, redundancy, losses };
  const findings = snapshot.nodes.map((node) => nodeFinding(node, context));
  findings.push(...findWriteProblems(snapshot, layout, answers));
  findings.push(...olderLayoutFindings(snapshot, context));
  return findings;
}

/** What a node is judged by, besides its own record. */
interface NodeContext {
  readonly snapshot: ClusterSnapshot;
  /** The newest one. */
  readonly layout: Layout;
  readonly answers: NodeAnswers;
  readonly nowMs: number;
  readonly redundancy: Redundancy;
  readonly losses: Losses | undefined;
}

function nodeFinding(node: NodeRecord, context: NodeContext): Finding {
  const { layout, answers } = context;
  const { nodeId, url, stats } = node;
  const placed = layout.nodes.find((entry) => entry.nodeId === nodeId);
  const lastSeen = `last heartbeat ${formatTime(node.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) return unplacedFinding(node, context);
  const left = placed.weight > 0 ? undefined : drainedAwayFinding(node, context);
  if (left !== undefined) return left;
  if (!isUsable(node)) {
    return {
      level: "broken",
      what: `${nodeId} registered with a URL that nobody can use: ${shownUrl(url)}`,
      why: "chunks that belong there lack a copy: reads and writes go on with the others, until more nodes are lost",
      action: `start it again with a --public-url (PUBLIC_URL) such as http://host:port, without user, password or query; if it is lost for good: ashlar layout --remove ${nodeId}`,
    };
  }
  if (node.state === "down") {
    return {
      level: "broken",
      what: `${nodeId} is down, ${lastSeen}`,
      why: "chunks that belong there lack a copy: reads and writes go on with the others, until more nodes are lost",
      action: `start it again at ${url}; if it is lost for good: ashlar layout --remove ${nodeId}`,
    };
  }
  if (node.state === "stopped") {
    return {
      level: "warning",
      what: `${nodeId} was stopped in order, ${lastSeen}`,
      why: "chunks that belong there lack a copy while it is away",
      action: `start it again; if it is gone for good: ashlar layout --remove ${nodeId}`,
    };
  }
  if (node.lostDisk !== undefined) return lostDiskFinding(nodeId, node.lostDisk);
  const answer = answers.get(nodeId);
  const wrong = answer && answerFinding(node, answer);
  if (wrong !== undefined) return wrong;
  const idle = placed.weight > 0 ? "" : drainedText(nodeId, context.snapshot);
  const disk = stats && diskFinding(`disk of ${nodeId}`, stats, formatBytes);
  return disk === undefined
    ? { level: "ok", what: `${nodeId} is up${idle}` }
    : { ...disk, what: `${nodeId} is up${idle}; ${disk.what}` };
}

function drainedText(nodeId: string, { layouts }: ClusterSnapshot): string {
  const isNeeded = layoutsPlacingOn(layouts, [nodeId]).length > 0;
  return `; it is drained (weight 0): no new chunk goes there, and ${isNeeded ? "its copies are moving to other nodes" : "no object needs a copy there"}`;
}

/**
 * A drained node that does not run. That is what a drain is for, unless copies are still moving from it.
 *
 * @returns `undefined` if it runs, as far as is known.
 */
function drainedAwayFinding(node: NodeRecord, { snapshot, answers, nowMs }: NodeContext): Finding | undefined {
  const { nodeId, url, state } = node;
  const answer = answers.get(nodeId);
  const isRefused = answer !== undefined && "reason" in answer && answer.isRefused;
  if (state === "up" && !isRefused) return undefined;
  const how = state === "stopped" ? "stopped" : `away for ${awayFor(node, nowMs)}`;
  if (layoutsPlacingOn(snapshot.layouts, [nodeId]).length === 0) {
    return {
      level: "note",
      what: `${nodeId} is drained and ${how}: remove it`,
      why: "no chunk needs a copy there; it stays listed until it is taken out of the layout",
      action: `ashlar layout --remove ${nodeId}; to use it again, start it, and: ashlar layout --weights ${nodeId}=1`,
    };
  }
  return {
    level: state === "stopped" ? "warning" : "broken",
    what: `${nodeId} is ${how}, and its copies are still moving to other nodes`,
    why: "until they are made elsewhere, chunks that it holds have one copy less",
    action: `start it again at ${shownUrl(url)}, and keep it running until nothing is behind: ashlar layout show; if it is lost for good: ashlar layout --remove ${nodeId}`,
  };
}

/** A node that is registered and not in the newest layout: an operator took it out, or it was away for too long. */
function unplacedFinding(node: NodeRecord, context: NodeContext): Finding {
  const { nodeId } = node;
  const isNeeded = layoutsPlacingOn(context.snapshot.layouts, [nodeId]).length > 0;
  if (node.state !== "up") return unplacedAwayFinding(node, isNeeded, context);
  return {
    level: "note",
    what: `${nodeId} is not part of the layout`,
    why: isNeeded
      ? "no new chunk goes there, and its copies are moving to other nodes"
      : "no new chunk goes there, and no object needs a copy there",
    action: isNeeded
      ? `keep it running until nothing is behind: ashlar layout show; to use it again: ashlar layout --weights ${nodeId}=1`
      : `stop it, or use it again: ashlar layout --weights ${nodeId}=1`,
  };
}

function unplacedAwayFinding(node: NodeRecord, isNeeded: boolean, context: NodeContext): Finding {
  const { nowMs, redundancy } = context;
  const { nodeId } = node;
  const what = `${nodeId} has been away for ${awayFor(node, nowMs)} and is not part of the layout`;
  const back = `start it again, and it joins the layout by itself, unless it was taken out: then also ashlar layout --weights ${nodeId}=1`;
  if (isNeeded) {
    const { moves } = redundancy;
    const left =
      moves === undefined || moves.chunkCount === 0
        ? ""
        : `: ${formatCount(moves.chunkCount, "chunk")} ${moves.chunkCount === 1 ? "is" : "are"} behind${ageText(moves.countedAtMs, nowMs)}`;
    // As bad as before it was left out, until the copies are there; a node that was stopped in order has its disk.
    return {
      level: node.state === "stopped" ? "warning" : "broken",
      what: `${what}; its copies are made on others${left}`,
      why: `until they are made, chunks that it holds have one copy less${fewerText(node, context)}`,
      action: `${back}; if it is gone for good, nothing`,
    };
  }
  const { isComplete, text } = copiesWithout(node, redundancy, nowMs);
  return {
    level: isComplete === false ? "warning" : "note",
    what: `${what}; ${text}`,
    why:
      isComplete === false
        ? "no layout in use places a chunk there, but a copy that is missing elsewhere may be there"
        : "no layout in use places a chunk there; what it still holds is checked and used if it comes back",
    action:
      isComplete === false
        ? `${back}; if it is gone for good, let repair restore the copies first`
        : `${back}; if it is gone for good: ashlar layout forget ${nodeId}`,
  };
}

/**
 * Whether every chunk has all its copies without a node that is away, in words that say how old the figures are. A count from before it went away took
 * its copies for ones that are up, so it says nothing.
 *
 * @returns `isComplete` is `undefined` if that is not known.
 */
function copiesWithout(
  node: NodeRecord,
  { copies, countedAtMs, repairs }: Redundancy,
  nowMs: number,
): { readonly isComplete: boolean | undefined; readonly text: string } {
  if (repairs !== undefined && repairs.kind !== "moving") {
    const { count } = repairs;
    const waits = `${formatCount(count, "copy", "copies")} ${count === 1 ? "waits" : "wait"} for repair${ageText(repairs.countedAtMs, nowMs)}`;
    return { isComplete: false, text: `no chunk follows a layout that names it, but ${waits}` };
  }
  if (countedAtMs === undefined || countedAtMs < awaySinceMs([node])) {
    const reason = countedAtMs === undefined ? "" : `; chunks were not counted since${ageText(countedAtMs, nowMs)}`;
    return { isComplete: undefined, text: `no chunk follows a layout that names it${reason}` };
  }
  if (copies === undefined) return { isComplete: true, text: "there are no chunks on nodes" };
  const complete = completeText(copies, nowMs);
  return copies.short === 0
    ? { isComplete: true, text: `its copies were made on others: ${complete}` }
    : { isComplete: false, text: `no chunk follows a layout that names it, but only ${complete}` };
}

/** That other nodes lack copies too, so that some chunks have fewer copies still. */
function fewerText({ nodeId }: NodeRecord, { losses }: NodeContext): string {
  const others = losses?.nodeIds.filter((other) => other !== nodeId) ?? [];
  return others.length === 0
    ? ""
    : `, and some fewer still: copies on ${lossesText({ nodeIds: others })} are missing too`;
}

const awayFor = ({ lastHeartbeatAtMs }: NodeRecord, nowMs: number): string =>
  formatDuration(Math.max(0, Math.round((nowMs - lastHeartbeatAtMs) / 1000) * 1000));

/**
 * Older layouts are in use while copies move. That takes its time, but it does not end while a node of the newest layout stays away: after
 * RE_REPLICATE_AFTER_MS such a node is left out by itself, unless too few others are up.
 */
function olderLayoutFindings(
  { nodes, layouts: [newest, ...older] }: ClusterSnapshot,
  { answers, nowMs, redundancy, losses }: Omit<NodeContext, "snapshot" | "layout">,
): readonly Finding[] {
  if (newest === undefined || older.length === 0) return [];
  const versions = older.map((entry) => entry.layoutVersion).join(", ");
  const members = new Set(newest.nodes.filter(({ weight }) => weight > 0).map(({ nodeId }) => nodeId));
  const blocking = nodes.filter(
    (node) =>
      members.has(node.nodeId) &&
      nodeState(node, answers) === "away" &&
      nowMs - node.lastHeartbeatAtMs > LIMITS.RE_REPLICATE_AFTER_MS,
  );
  if (blocking.length > 0) {
    const names = blocking.map((node) => `${node.nodeId} (away for ${awayFor(node, nowMs)})`).join(", ");
    return [
      {
        level: "warning",
        what: `copies cannot move to where layout ${newest.layoutVersion} wants them: it wants some on ${names}; older layouts stay in use: ${versions}`,
        why: "the nodes of the older layouts are needed until then, drained ones too",
        action: `start ${blocking.map(({ nodeId }) => nodeId).join(", ")} again; a node that is lost for good: ashlar layout --remove <id>`,
      },
    ];
  }
  // With figures, the finding about them says it.
  if (redundancy.moves !== undefined) return [];
  return [
    {
      level: "note",
      what: `some chunks still follow older layouts (${versions}): their copies are moving to where layout ${newest.layoutVersion} wants them`,
      why: movingWhy(losses),
      action: "keep the nodes of the older layouts running until nothing is behind: ashlar layout show",
    },
  ];
}

function lostDiskFinding(nodeId: string, lostDisk: LostDisk): Finding {
  const { kind, atMs, chunkCount, bytesUsed } = lostDisk;
  return {
    level: "warning",
    what: `${nodeId} lost its disk on ${formatTime(atMs)} UTC: ${lostDiskWords(kind)}; before, it held ${formatCount(chunkCount, "chunk")}, ${formatBytes(bytesUsed)}`,
    why: "until its copies are restored, those chunks have one copy less; if another node is lost meanwhile, some may be lost too",
    action: lostDiskAction(lostDisk),
  };
}

/** Whether chunks get as many copies as the layout asks for, and whether enough nodes can take them. Pure. */
function findWriteProblems(snapshot: ClusterSnapshot, layout: Layout, answers: NodeAnswers): readonly Finding[] {
  const members = layout.nodes.filter((node) => node.weight > 0).map(({ nodeId }) => nodeId);
  const records = new Map(snapshot.nodes.map((node) => [node.nodeId, node]));
  const stateOf = (nodeId: string): NodeState => nodeState(records.get(nodeId), answers);
  const away = members.filter((nodeId) => stateOf(nodeId) === "away");
  const full = members.filter((nodeId) => stateOf(nodeId) === "full");
  const writable = new Set(members.filter((nodeId) => stateOf(nodeId) === "writable"));
  const copies = Math.min(layout.replicationFactor, members.length);
  const quorum = majority(copies);
  const findings: Finding[] = [];
  if (members.length < layout.replicationFactor) {
    findings.push({
      level: "warning",
      what: `${layout.replicationFactor} copies are wanted, but there are only ${formatCount(members.length, "node")}`,
      why: "each node holds at most one copy of a chunk, so the cluster survives fewer losses than you asked for",
      action: "add storage nodes, or ask for fewer copies: ashlar layout --replication-factor <count>",
    });
  }
  const action = actionFor(away, full);
  if (writable.size < quorum) {
    findings.push({
      level: "broken",
      what: `nothing can be written: ${writable.size} of ${formatCount(members.length, "node")} can take chunks, ${quorum} needed`,
      why: `a write is acknowledged when ${quorum} of ${copies} copies are safe on disk`,
      action,
    });
    return findings;
  }
  const { unwritable, handedOff, unreadable } = lostShares(layout, { writable, away: new Set(away), quorum });
  if (unwritable > 0) {
    findings.push({
      level: "broken",
      what: `${formatShare(unwritable)} of new chunks cannot be written: too many of the nodes that they belong to are full`,
      why: "puts fail with DISK_FULL; a larger object certainly has such a chunk",
      action,
    });
  }
  if (handedOff > 0) {
    findings.push({
      level: "warning",
      what: `${formatShare(handedOff)} of new chunks go to nodes that stand in for those that they belong to: too many of these are away`,
      why: `they have ${quorum} copies as any acknowledged chunk, and get the others when the nodes are back or are left out of the layout`,
      action,
    });
  }
  if (unreadable > 0) {
    findings.push({
      level: "broken",
      what: `${formatShare(unreadable)} of all chunks may not be readable: all nodes that they belong to are away`,
      why: "gets fail with NODE_UNAVAILABLE, except for what was written since, by nodes that stand in for others",
      action,
    });
  }
  return findings;
}

function actionFor(away: readonly string[], full: readonly string[]): string {
  const actions = [
    ...(away.length === 0 ? [] : [`start the nodes that are away: ${away.join(", ")}`]),
    ...(full.length === 0
      ? []
      : [
          `make room on the nodes that are full (${full.join(", ")}): delete objects, enlarge their disks, or add a storage node`,
        ]),
  ];
  return actions.join("; ");
}

/**
 * Shares of all chunks, by the newest layout, for which too few nodes can take a copy for a quorum. `handedOff`: some of these are away, so that others
 * stand in for them; `unwritable`: none is away, but they are full. `unreadable`: all of their nodes are away.
 */
function lostShares(
  layout: Layout,
  nodes: { readonly writable: ReadonlySet<string>; readonly away: ReadonlySet<string>; readonly quorum: number },
): Readonly<Record<"unwritable" | "handedOff" | "unreadable", number>> {
  const { writable, away, quorum } = nodes;
  const placement = createPlacement(layout);
  const { partitionCount } = placement;
  let [unwritable, handedOff, unreadable] = [0, 0, 0];
  for (let partition = 0; partition < partitionCount; partition++) {
    const ids = placement.nodesOfPartition(partition);
    if (ids.filter((nodeId) => writable.has(nodeId)).length < quorum) {
      if (ids.some((nodeId) => away.has(nodeId))) handedOff++;
      else unwritable++;
    }
    if (ids.every((nodeId) => away.has(nodeId))) unreadable++;
  }
  const share = (count: number): number => count / partitionCount;
  return { unwritable: share(unwritable), handedOff: share(handedOff), unreadable: share(unreadable) };
}
