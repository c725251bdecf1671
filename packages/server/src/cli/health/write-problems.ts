import type { ClusterSnapshot } from "@ashlar/sdk";
import { majority } from "@ashlar/sdk/engine";
import type { Layout, ServerRecord } from "@ashlar/sdk/ports";
import { createPlacement, PARTITION_COUNT } from "@ashlar/sdk/ring";
import { DISK_RESERVE_BYTES } from "../../node/index.ts";
import { formatCount, formatShare } from "../../observability/format.ts";
import { isUsable, type NodeAnswers } from "./ask-nodes.ts";
import type { Finding } from "./finding.ts";

/** Whether chunks get the copies that are asked for, and whether enough servers can take them. Pure. */
export function findWriteProblems(snapshot: ClusterSnapshot, layout: Layout, answers: NodeAnswers): readonly Finding[] {
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
