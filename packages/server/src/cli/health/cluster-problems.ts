import type { ClusterSnapshot } from "@ashlar/sdk";
import type { Layout, ServerRecord } from "@ashlar/sdk/ports";
import { createPlacement, PARTITION_COUNT } from "@ashlar/sdk/ring";
import { formatBytes, formatCount, formatShare, formatTime } from "../format.ts";
import { diskFinding, type Finding } from "./finding.ts";

/** What is wrong with the servers and layouts of a cluster. Pure. */
export function findClusterProblems(snapshot: ClusterSnapshot): readonly Finding[] {
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
  const findings = snapshot.servers.flatMap((server) => serverFindings(server, layout));
  findings.push(...copyFindings(snapshot, layout));
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

function serverFindings(server: ServerRecord, layout: Layout): readonly Finding[] {
  const { serverId, url, stats } = server;
  const placed = layout.servers.find((entry) => entry.serverId === serverId);
  const lastSeen = `last heard of ${formatTime(server.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) {
    return [
      {
        level: "note",
        what: `${serverId} is not part of the layout`,
        why: "no new chunk goes there; older ones may still lie there",
        action:
          "to take it back, start it again, and it joins; to be rid of it, stop it when no older layout is in use",
      },
    ];
  }
  if (server.state === "down") {
    return [
      {
        level: "broken",
        what: `${serverId} is down, ${lastSeen}`,
        why: "chunks that belong there lack a copy: reads and writes go on with the others, until more servers are lost",
        action: `start it again at ${url}; if it is lost for good: ashlar layout --remove ${serverId}`,
      },
    ];
  }
  if (server.state === "stopped") {
    return [
      {
        level: "warning",
        what: `${serverId} was stopped in order, ${lastSeen}`,
        why: "chunks that belong there lack a copy while it is away",
        action: `start it again; if it is gone for good: ashlar layout --remove ${serverId}`,
      },
    ];
  }
  const idle = placed.weight > 0 ? "" : "; it is drained (weight 0): no new chunk goes there";
  const disk = stats && diskFinding(`disk of ${serverId}`, stats, formatBytes);
  return disk === undefined
    ? [{ level: "ok", what: `${serverId} is up${idle}` }]
    : [{ ...disk, what: `${serverId} is up${idle}; ${disk.what}` }];
}

function copyFindings({ servers }: ClusterSnapshot, layout: Layout): readonly Finding[] {
  const members = layout.servers.filter((server) => server.weight > 0);
  const up = new Set(servers.filter(({ state }) => state === "up").map(({ serverId }) => serverId));
  const upCount = members.filter(({ serverId }) => up.has(serverId)).length;
  const copies = Math.min(layout.replicationFactor, members.length);
  const quorum = Math.floor(copies / 2) + 1;
  const findings: Finding[] = [];
  if (members.length < layout.replicationFactor) {
    findings.push({
      level: "warning",
      what: `${layout.replicationFactor} copies are wanted, but there are only ${formatCount(members.length, "server")}`,
      why: "each server holds one copy of a chunk at most, so that fewer losses are borne than you asked for",
      action: "add storage nodes, or ask for fewer copies: ashlar layout --replication-factor <count>",
    });
  }
  const away = `start the servers that are away: ${members
    .filter(({ serverId }) => !up.has(serverId))
    .map(({ serverId }) => serverId)
    .join(", ")}`;
  if (upCount < quorum) {
    findings.push({
      level: "broken",
      what: `nothing can be written: ${upCount} up, ${quorum} needed`,
      why: `a write is acknowledged when ${quorum} of ${copies} copies are safe on disk`,
      action: away,
    });
    return findings;
  }
  const { unwritable, unreadable } = lostShares(layout, up, quorum);
  if (unwritable > 0) {
    findings.push({
      level: "broken",
      what: `${formatShare(unwritable)} of new chunks cannot be written: too many of the servers that they belong to are away`,
      why: `puts fail with QUORUM_NOT_REACHED; a larger object has some such chunk for certain${unreadable > 0 ? `, and ${formatShare(unreadable)} of all chunks cannot be read` : ""}`,
      action: away,
    });
  }
  return findings;
}

/** Shares of all chunks, by the newest layout, whose servers are away: too many of them to write, or all. */
function lostShares(
  layout: Layout,
  up: ReadonlySet<string>,
  quorum: number,
): { readonly unwritable: number; readonly unreadable: number } {
  const placement = createPlacement(layout);
  let [unwritable, unreadable] = [0, 0];
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    const upCount = placement.serversOf(partition).filter((serverId) => up.has(serverId)).length;
    if (upCount < quorum) unwritable++;
    if (upCount === 0) unreadable++;
  }
  return { unwritable: unwritable / PARTITION_COUNT, unreadable: unreadable / PARTITION_COUNT };
}
