import type { ClusterSnapshot } from "@ashlar/sdk";
import { majority } from "@ashlar/sdk/engine";
import { type Layout, type ServerRecord, shownUrl } from "@ashlar/sdk/ports";
import { createPlacement, PARTITION_COUNT } from "@ashlar/sdk/ring";
import { DISK_RESERVE_BYTES } from "../../node/index.ts";
import { formatBytes, formatCount, formatShare, formatTime } from "../../observability/format.ts";
import { answerFinding, isUsable, type NodeAnswers } from "./ask-nodes.ts";
import { diskFinding, type Finding } from "./finding.ts";

/**
 * What is wrong with the servers and layouts of a cluster. Pure.
 *
 * @param answers what nodes say now; it wins over what the registry last heard of them.
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
  const findings = snapshot.servers.map((server) => serverFinding(server, layout, answers));
  findings.push(...findWriteProblems(snapshot, layout, answers));
  if (older.length > 0) {
    const versions = older.map((entry) => entry.layoutVersion).join(", ");
    findings.push({
      level: "note",
      what: `chunks still lie by older layouts: ${versions}`,
      why: "reads find them there, so that the servers of those layouts are still needed; this release does not move chunks",
      action: "keep those servers; putting the same content again restores its copies by the present layout",
    });
  }
  return findings;
}

function serverFinding(server: ServerRecord, layout: Layout, answers: NodeAnswers): Finding {
  const { serverId, url, stats } = server;
  const placed = layout.servers.find((entry) => entry.serverId === serverId);
  const lastSeen = `last heard of ${formatTime(server.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) {
    return {
      level: "note",
      what: `${serverId} is not part of the layout`,
      why: "no new chunk goes there; older ones may still lie there",
      action: `to take it back, see that it runs, then: ashlar layout --weights ${serverId}=1; to be rid of it, stop it when no older layout is in use`,
    };
  }
  if (!isUsable(server)) {
    return {
      level: "broken",
      what: `${serverId} registered with a URL that nobody can use: ${shownUrl(url)}`,
      why: "chunks that belong there lack a copy: reads and writes go on with the others, until more servers are lost",
      action: `start it again with a --public-url (PUBLIC_URL) such as http://host:port, without user, password or query; if it is lost for good: ashlar layout --remove ${serverId}`,
    };
  }
  if (server.state === "down") {
    return {
      level: "broken",
      what: `${serverId} is down, ${lastSeen}`,
      why: "chunks that belong there lack a copy: reads and writes go on with the others, until more servers are lost",
      action: `start it again at ${url}; if it is lost for good: ashlar layout --remove ${serverId}`,
    };
  }
  if (server.state === "stopped") {
    return {
      level: "warning",
      what: `${serverId} was stopped in order, ${lastSeen}`,
      why: "chunks that belong there lack a copy while it is away",
      action: `start it again; if it is gone for good: ashlar layout --remove ${serverId}`,
    };
  }
  const answer = answers.get(serverId);
  const wrong = answer && answerFinding(server, answer);
  if (wrong !== undefined) return wrong;
  const idle = placed.weight > 0 ? "" : "; it is drained (weight 0): no new chunk goes there";
  const disk = stats && diskFinding(`disk of ${serverId}`, stats, formatBytes);
  return disk === undefined
    ? { level: "ok", what: `${serverId} is up${idle}` }
    : { ...disk, what: `${serverId} is up${idle}; ${disk.what}` };
}

/** Whether chunks get the copies that are asked for, and whether enough servers can take them. Pure. */
function findWriteProblems(snapshot: ClusterSnapshot, layout: Layout, answers: NodeAnswers): readonly Finding[] {
  const members = layout.servers.filter((server) => server.weight > 0).map(({ serverId }) => serverId);
  const records = new Map(snapshot.servers.map((server) => [server.serverId, server]));
  const stateOf = (serverId: string): NodeState => nodeState(records.get(serverId), answers);
  const away = members.filter((serverId) => stateOf(serverId) === "away");
  const full = members.filter((serverId) => stateOf(serverId) === "full");
  const writable = new Set(members.filter((serverId) => stateOf(serverId) === "writable"));
  const copies = Math.min(layout.replicationFactor, members.length);
  const quorum = majority(copies);
  const findings: Finding[] = [];
  if (members.length < layout.replicationFactor) {
    findings.push({
      level: "warning",
      what: `${layout.replicationFactor} copies are wanted, but there are only ${formatCount(members.length, "server")}`,
      why: "each server holds one copy of a chunk at most, so that fewer losses are borne than you asked for",
      action: "add storage nodes, or ask for fewer copies: ashlar layout --replication-factor <count>",
    });
  }
  const action = actionFor(away, full);
  if (writable.size < quorum) {
    findings.push({
      level: "broken",
      what: `nothing can be written: ${writable.size} of ${formatCount(members.length, "server")} can take chunks, ${quorum} needed`,
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
      what: `${formatShare(unwritable)} of new chunks cannot be written: too many of the servers that they belong to are ${state}`,
      why: `puts fail with ${full.length === 0 ? "" : "DISK_FULL or "}QUORUM_NOT_REACHED; a larger object has some such chunk for certain${unreadable > 0 ? `, and ${formatShare(unreadable)} of all chunks cannot be read` : ""}`,
      action,
    });
  }
  return findings;
}

type NodeState = "writable" | "full" | "away";

/**
 * What a node says now wins over its last heartbeat. One that this machine does not reach counts by its heartbeat: gateways may reach it.
 */
function nodeState(server: ServerRecord | undefined, answers: NodeAnswers): NodeState {
  if (server?.state !== "up" || !isUsable(server)) return "away";
  const answer = answers.get(server.serverId);
  if (answer === undefined || "reason" in answer) {
    if (answer?.isRefused) return "away";
    const { bytesFree = 0, bytesTotal = 0 } = server.stats ?? {};
    return bytesTotal > 0 && bytesFree < DISK_RESERVE_BYTES ? "full" : "writable";
  }
  if (!answer.ready || answer.checks.registry === "refused") return "away";
  return answer.checks.store === "read-only" ? "full" : "writable";
}

function actionFor(away: readonly string[], full: readonly string[]): string {
  const actions = [
    ...(away.length === 0 ? [] : [`start the servers that are away: ${away.join(", ")}`]),
    ...(full.length === 0
      ? []
      : [
          `make room on the servers that are full (${full.join(", ")}): delete objects, enlarge their disks, or add a storage node`,
        ]),
  ];
  return actions.join("; ");
}

/** Shares of all chunks, by the newest layout, whose servers are away or full: too many of them to write, or away all of them. */
function lostShares(
  layout: Layout,
  servers: { readonly writable: ReadonlySet<string>; readonly away: ReadonlySet<string>; readonly quorum: number },
): { readonly unwritable: number; readonly unreadable: number } {
  const { writable, away, quorum } = servers;
  const placement = createPlacement(layout);
  let [unwritable, unreadable] = [0, 0];
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    const ids = placement.serversOf(partition);
    if (ids.filter((serverId) => writable.has(serverId)).length < quorum) unwritable++;
    if (ids.every((serverId) => away.has(serverId))) unreadable++;
  }
  return { unwritable: unwritable / PARTITION_COUNT, unreadable: unreadable / PARTITION_COUNT };
}
