import type { ClusterSnapshot } from "@ashlar/sdk";
import type { ServerRecord } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import { findClusterProblems } from "./cluster-problems.ts";
import { diskFinding } from "./finding.ts";

function server(serverId: string, more: Partial<ServerRecord> = {}): ServerRecord {
  const times = { registeredAtMs: 0, lastHeartbeatAtMs: 0 };
  return { serverId, url: `http://${serverId}`, weight: 1, softwareVersion: "1", state: "up", ...times, ...more };
}

function cluster(servers: readonly ServerRecord[], layouts: number[] = [1]): ClusterSnapshot {
  const placed = servers.map(({ serverId, weight }) => ({ serverId, weight }));
  return {
    servers,
    layouts: layouts.map((layoutVersion) => ({
      layoutVersion,
      replicationFactor: 3,
      virtualNodesPerServer: 150,
      servers: placed,
    })),
  };
}

const levels = (snapshot: ClusterSnapshot): string[] => findClusterProblems(snapshot).map((finding) => finding.level);

test("a cluster that is well has nothing but ok", () => {
  expect(levels(cluster([server("a"), server("b"), server("c")]))).toEqual(["ok", "ok", "ok"]);
});

test("one server down is broken; more than the quorum bears, and nothing can be written", () => {
  const down = server("c", { state: "down" });
  expect(levels(cluster([server("a"), server("b"), down]))).toEqual(["ok", "ok", "broken"]);
  const findings = findClusterProblems(cluster([server("a"), server("b", { state: "down" }), down]));
  expect(findings.at(-1)).toMatchObject({ level: "broken", what: "nothing can be written: 1 up, 2 needed" });
});

test("stopped servers, too few servers and older layouts are told, each with what to do", () => {
  const findings = findClusterProblems(cluster([server("a"), server("b", { state: "stopped" })], [2, 1]));
  expect(findings.map((finding) => finding.level)).toEqual(["ok", "warning", "warning", "broken", "note"]);
  for (const finding of findings) if (finding.level !== "ok") expect(finding.action).toBeDefined();
});

test("a cluster without servers, and servers outside the layout, are notes", () => {
  expect(levels({ servers: [], layouts: [] })).toEqual(["note"]);
  const [snapshot, stray] = [cluster([server("a"), server("b"), server("c")]), server("z")];
  expect(levels({ ...snapshot, servers: [...snapshot.servers, stray] })).toEqual(["ok", "ok", "ok", "note"]);
});

test("disks are judged by their free share", () => {
  const level = (bytesFree: number): string | undefined =>
    diskFinding("d", { bytesFree, bytesTotal: 1000 }, String)?.level;
  expect([level(500), level(99), level(9)]).toEqual(["ok", "warning", "broken"]);
  expect(diskFinding("d", {}, String)).toBeUndefined();
  const stats = { chunkCount: 1, bytesUsed: 1, bytesFree: 5, bytesTotal: 1000 };
  expect(levels(cluster([server("a", { stats }), server("b"), server("c")]))).toEqual(["broken", "ok", "ok"]);
});

test("older layouts are no reason to sit back: chunks do not move by themselves", () => {
  const findings = findClusterProblems(cluster([server("a"), server("b"), server("c")], [2, 1]));
  expect(findings.at(-1)?.action).not.toContain("nothing to do");
  expect(findings.at(-1)?.action).toContain("putting the same content again");
});
