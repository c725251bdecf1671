import type { ClusterSnapshot } from "@ashlar/sdk";
import { majority } from "@ashlar/sdk/engine";
import { type Layout, type LostDisk, lostDiskWords, type NodeRecord, shownUrl } from "@ashlar/sdk/ports";
import { createPlacement, PARTITION_COUNT } from "@ashlar/sdk/ring";
import { DISK_RESERVE_BYTES, lostDiskAction } from "../../node/index.ts";
import { formatBytes, formatCount, formatShare, formatTime } from "../../observability/format.ts";
import { answerFinding, isUsable, type NodeAnswers } from "./ask-nodes.ts";
import { diskFinding, type Finding } from "./finding.ts";

/**
 * What is wrong with the nodes and layouts of a cluster. Pure.
 *
 * @param answers what nodes say now; it counts more than their last heartbeats in the registry.
 */
export function findClusterProblems(snapshot: ClusterSnapshot, answers: NodeAnswers = new Map()): readonly Finding[] {
  const [layout, ...older] = snapshot.layouts;
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
  const findings = snapshot.nodes.map((node) => nodeFinding(node, layout, answers));
  findings.push(...findWriteProblems(snapshot, layout, answers));
  if (older.length > 0) {
    const versions = older.map((entry) => entry.layoutVersion).join(", ");
    findings.push({
      level: "note",
      what: `some chunks may still be placed by older layouts: ${versions}`,
      why: "reads find them there, so the nodes of those layouts are still needed; this release does not move chunks",
      action: "keep those nodes; putting the same content again restores its copies by the current layout",
    });
  }
  return findings;
}

function nodeFinding(node: NodeRecord, layout: Layout, answers: NodeAnswers): Finding {
  const { nodeId, url, stats } = node;
  const placed = layout.nodes.find((entry) => entry.nodeId === nodeId);
  const lastSeen = `last heartbeat ${formatTime(node.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) {
    return {
      level: "note",
      what: `${nodeId} is not part of the layout`,
      why: "no new chunk goes there; older ones may still be there",
      action: `to use it again, start it if it does not run, then: ashlar layout --weights ${nodeId}=1; to remove it, stop it a day after it left the layout (uploads may last that long), when no older layout is in use`,
    };
  }
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
  const idle = placed.weight > 0 ? "" : "; it is drained (weight 0): no new chunk goes there";
  const disk = stats && diskFinding(`disk of ${nodeId}`, stats, formatBytes);
  return disk === undefined
    ? { level: "ok", what: `${nodeId} is up${idle}` }
    : { ...disk, what: `${nodeId} is up${idle}; ${disk.what}` };
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
  let [unwritable, unreadable] = [0, 0];
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    const ids = placement.nodesOfPartition(partition);
    if (ids.filter((nodeId) => writable.has(nodeId)).length < quorum) unwritable++;
    if (ids.every((nodeId) => away.has(nodeId))) unreadable++;
  }
  return { unwritable: unwritable / PARTITION_COUNT, unreadable: unreadable / PARTITION_COUNT };
}
