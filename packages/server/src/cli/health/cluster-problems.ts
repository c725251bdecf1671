import type { ClusterSnapshot } from "@ashlar/sdk";
import { type Layout, type ServerRecord, shownUrl } from "@ashlar/sdk/ports";
import { formatBytes, formatTime } from "../../observability/format.ts";
import { answerFinding, isUsable, type NodeAnswers } from "./ask-nodes.ts";
import { diskFinding, type Finding } from "./finding.ts";
import { findWriteProblems } from "./write-problems.ts";

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
