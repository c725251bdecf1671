import type { ClusterSnapshot } from "@ashlar/sdk";
import type { Layout, ServerRecord } from "@ashlar/sdk/ports";
import { formatBytes, formatCount, formatTime } from "../format.ts";
import { diskFinding, type Finding } from "./finding.ts";

/** What is wrong with the servers and layouts of a cluster. Pure. */
export function findClusterProblems(snapshot: ClusterSnapshot): readonly Finding[] {
  const [layout, ...older] = snapshot.layouts;
  if (layout === undefined) {
    return [
      {
        level: "note",
        what: "no storage node has registered: one local store holds everything, or nothing can be written yet",
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
      action:
        "reads find them there, so keep those servers; this release does not move chunks, but putting the same content again restores its copies",
    });
  }
  return findings;
}

function serverFindings(server: ServerRecord, layout: Layout): readonly Finding[] {
  const { serverId, url, stats } = server;
  const placed = layout.servers.find((entry) => entry.serverId === serverId);
  const lastSeen = `last heard of ${formatTime(server.lastHeartbeatAtMs)} UTC`;
  if (placed === undefined) return [{ level: "note", what: `${serverId} is not part of the layout` }];
  if (server.state === "down") {
    return [
      {
        level: "broken",
        what: `${serverId} is down, ${lastSeen}`,
        action: `start it again at ${url}; if it is lost for good: ashlar layout --remove ${serverId}`,
      },
    ];
  }
  if (server.state === "stopped") {
    return [{ level: "warning", what: `${serverId} was stopped in order, ${lastSeen}`, action: "start it again" }];
  }
  const disk = stats && diskFinding(`disk of ${serverId}`, stats, formatBytes);
  return disk === undefined
    ? [{ level: "ok", what: `${serverId} is up` }]
    : [{ ...disk, what: `${serverId} is up; ${disk.what}` }];
}

function copyFindings({ servers }: ClusterSnapshot, layout: Layout): readonly Finding[] {
  const members = layout.servers.filter((server) => server.weight > 0);
  const up = members.filter((member) => servers.find(({ serverId }) => serverId === member.serverId)?.state === "up");
  const copies = Math.min(layout.replicationFactor, members.length);
  const quorum = Math.floor(copies / 2) + 1;
  const findings: Finding[] = [];
  if (members.length < layout.replicationFactor) {
    findings.push({
      level: "warning",
      what: `${layout.replicationFactor} copies are wanted, but there are only ${formatCount(members.length, "server")}`,
      action: "add storage nodes",
    });
  }
  if (up.length < quorum) {
    findings.push({
      level: "broken",
      what: `nothing can be written: ${up.length} up, ${quorum} needed`,
      action: "start the servers that are away",
    });
  }
  return findings;
}
