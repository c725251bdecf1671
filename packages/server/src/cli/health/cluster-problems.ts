import type { ClusterSnapshot } from "@ashlar/sdk";
import { majority } from "@ashlar/sdk/engine";
import { LIMITS } from "@ashlar/sdk/limits";
import { type Layout, type LostDisk, lostDiskWords, type NodeRecord, shownUrl } from "@ashlar/sdk/ports";
import { createPlacement } from "@ashlar/sdk/ring";
import { DISK_RESERVE_BYTES, lostDiskAction } from "../../node/index.ts";
import { formatBytes, formatCount, formatDuration, formatShare, formatTime } from "../../observability/format.ts";
import { layoutsPlacingOn } from "../layout/layouts-in-use.ts";
import { answerFinding, isUsable, type NodeAnswers } from "./ask-nodes.ts";
import { diskFinding, type Finding } from "./finding.ts";

/** What {@link findClusterProblems} knows besides the registry. */
export interface ClusterFacts {
  /** What nodes say now; it counts more than their last heartbeats in the registry. */
  readonly answers?: NodeAnswers;
  readonly nowMs: number;
  /** Whether another finding tells that chunks are behind the newest layout. Default false. */
  readonly areMovesTold?: boolean;
}

/** What is wrong with the nodes and layouts of a cluster. Pure. */
export function findClusterProblems(
  snapshot: ClusterSnapshot,
  { answers = new Map(), nowMs, areMovesTold = false }: ClusterFacts,
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
  const findings = snapshot.nodes.map((node) => nodeFinding(node, { snapshot, layout, answers, nowMs }));
  findings.push(...findWriteProblems(snapshot, layout, answers));
  findings.push(...olderLayoutFindings(snapshot, { answers, nowMs, areMovesTold }));
  return findings;
}

/** What a node is judged by, besides its own record. */
interface NodeContext {
  readonly snapshot: ClusterSnapshot;
  /** The newest one. */
  readonly layout: Layout;
  readonly answers: NodeAnswers;
  readonly nowMs: number;
}

function nodeFinding(node: NodeRecord, context: NodeContext): Finding {
  const { layout, answers } = context;
  const { nodeId, url, stats } = node;
  const placed = layout.nodes.find((entry) => entry.nodeId === nodeId);
  const lastSeen = `last heartbeat ${formatTime(node.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) return unplacedFinding(node, context);
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

/** A node that is registered and not in the newest layout: an operator took it out, or it was away for too long. */
function unplacedFinding(node: NodeRecord, { snapshot, nowMs }: NodeContext): Finding {
  const { nodeId } = node;
  const isNeeded = layoutsPlacingOn(snapshot.layouts, [nodeId]).length > 0;
  if (node.state !== "up") {
    return {
      level: isNeeded ? "warning" : "note",
      what: `${nodeId} has been away for ${awayFor(node, nowMs)} and is not part of the layout; its copies ${isNeeded ? "are made" : "were made"} on others`,
      why: isNeeded
        ? "until they are made, chunks that it holds have one copy less"
        : "no chunk needs it; what it still holds is checked and used if it comes back",
      action: `start it again, and it joins the layout by itself, unless it was taken out: then also ashlar layout --weights ${nodeId}=1; if it is gone for good, nothing`,
    };
  }
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

const awayFor = ({ lastHeartbeatAtMs }: NodeRecord, nowMs: number): string =>
  formatDuration(Math.max(0, Math.round((nowMs - lastHeartbeatAtMs) / 1000) * 1000));

/**
 * Older layouts are in use while copies move. That takes its time, but it does not end while a node of the newest layout stays away: after
 * RE_REPLICATE_AFTER_MS such a node is left out by itself, unless too few others are up.
 */
function olderLayoutFindings(
  { nodes, layouts: [newest, ...older] }: ClusterSnapshot,
  { answers, nowMs, areMovesTold }: Required<ClusterFacts>,
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
  if (areMovesTold) return [];
  return [
    {
      level: "note",
      what: `some chunks still follow older layouts (${versions}): their copies are moving to where layout ${newest.layoutVersion} wants them`,
      why: "they have all their copies where the older layouts placed them, and are read there",
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
  const { unwritable, unreadable } = lostShares(layout, { writable, away: new Set(away), quorum });
  if (unwritable > 0) {
    const state = full.length === 0 ? "away" : away.length === 0 ? "full" : "away or full";
    findings.push({
      level: "broken",
      what: `${formatShare(unwritable)} of new chunks cannot be written: too many of the nodes that they belong to are ${state}`,
      why: `puts fail with ${full.length === 0 ? "" : "DISK_FULL or "}QUORUM_NOT_REACHED; a larger object certainly has such a chunk${unreadable > 0 ? `, and ${formatShare(unreadable)} of all chunks cannot be read` : ""}`,
      action,
    });
  }
  return findings;
}

type NodeState = "writable" | "full" | "away";

/**
 * What a node says now counts more than its last heartbeat. If this machine does not reach it, the heartbeat counts: gateways may reach it.
 */
function nodeState(node: NodeRecord | undefined, answers: NodeAnswers): NodeState {
  if (node?.state !== "up" || !isUsable(node)) return "away";
  const answer = answers.get(node.nodeId);
  if (answer === undefined || "reason" in answer) {
    if (answer?.isRefused) return "away";
    const { bytesFree = 0, bytesTotal = 0 } = node.stats ?? {};
    return bytesTotal > 0 && bytesFree < DISK_RESERVE_BYTES ? "full" : "writable";
  }
  if (!answer.ready || answer.checks.registry === "refused" || answer.checks.registry === "its clock differs")
    return "away";
  return answer.checks.store === "read-only" ? "full" : "writable";
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
 * Shares of all chunks, by the newest layout. `unwritable`: too many of their nodes are away or full for a quorum; `unreadable`: all of their nodes
 * are away.
 */
function lostShares(
  layout: Layout,
  nodes: { readonly writable: ReadonlySet<string>; readonly away: ReadonlySet<string>; readonly quorum: number },
): { readonly unwritable: number; readonly unreadable: number } {
  const { writable, away, quorum } = nodes;
  const placement = createPlacement(layout);
  const { partitionCount } = placement;
  let [unwritable, unreadable] = [0, 0];
  for (let partition = 0; partition < partitionCount; partition++) {
    const ids = placement.nodesOfPartition(partition);
    if (ids.filter((nodeId) => writable.has(nodeId)).length < quorum) unwritable++;
    if (ids.every((nodeId) => away.has(nodeId))) unreadable++;
  }
  return { unwritable: unwritable / partitionCount, unreadable: unreadable / partitionCount };
}
