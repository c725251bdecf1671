import type { ClusterSnapshot } from "@ashlar/sdk";
import { MIB } from "@ashlar/sdk/limits";
import type { NodeRecord } from "@ashlar/sdk/ports";
import { expect, test } from "vitest";
import type { NodeAnswers } from "./ask-nodes.ts";
import type { NoAnswer, ReadyAnswer } from "./ask-server.ts";
import { findClusterProblems } from "./cluster-problems.ts";
import { checkFinding, clockFinding, diskFinding, type Finding } from "./finding.ts";
import type { Redundancy } from "./redundancy.ts";

function node(nodeId: string, more: Partial<NodeRecord> = {}): NodeRecord {
  const times = { registeredAtMs: 0, lastHeartbeatAtMs: NOW_MS };
  return { nodeId, url: `http://${nodeId}`, weight: 1, softwareVersion: "1", state: "up", ...times, ...more };
}

function cluster(nodes: readonly NodeRecord[], layouts: number[] = [1]): ClusterSnapshot {
  const placed = nodes.map(({ nodeId, weight }) => ({ nodeId, weight }));
  return {
    nodes,
    layouts: layouts.map((layoutVersion) => ({
      layoutVersion,
      replicationFactor: 3,
      virtualNodesPerNode: 150,
      nodes: placed,
    })),
  };
}

const NOW_MS = 60 * 60_000;
const problems = (snapshot: ClusterSnapshot, answers?: NodeAnswers): readonly Finding[] =>
  findClusterProblems(snapshot, { ...(answers && { answers }), nowMs: NOW_MS });

const levels = (snapshot: ClusterSnapshot): string[] => problems(snapshot).map((finding) => finding.level);

test("a cluster that is well has nothing but ok", () => {
  expect(levels(cluster([node("a"), node("b"), node("c")]))).toEqual(["ok", "ok", "ok"]);
});

test("one node down is broken; with too many down for a quorum, nothing can be written", () => {
  const down = node("c", { state: "down" });
  expect(levels(cluster([node("a"), node("b"), down]))).toEqual(["ok", "ok", "broken"]);
  const findings = problems(cluster([node("a"), node("b", { state: "down" }), down]));
  expect(findings.at(-1)).toMatchObject({
    level: "broken",
    what: "nothing can be written: 1 of 3 nodes can take chunks, 2 needed",
  });
});

const stats = { chunkCount: 1, bytesUsed: 1, bytesFree: 500 * MIB, bytesTotal: 1000 * MIB };
const readOnly: ReadyAnswer = { ready: true, checks: { store: "read-only", registry: "registered" } };
const well: ReadyAnswer = { ready: true, checks: { store: "ok", registry: "registered" } };
const refused: NoAnswer = { reason: "connect ECONNREFUSED", isRefused: true };

test("answers of nodes count more than their last heartbeats, one finding each: with all disks full, nothing can be written", () => {
  const nodes = ["a", "b", "c"].map((id) => node(id, { stats }));
  const answers = new Map(nodes.map(({ nodeId }) => [nodeId, readOnly]));
  const findings = problems(cluster(nodes), answers);
  expect(findings.map(({ level }) => level)).toEqual(["warning", "warning", "warning", "broken"]);
  expect(findings[0]?.what).toBe("a runs, but store: read-only");
  expect(findings.at(-1)?.what).toBe("nothing can be written: 0 of 3 nodes can take chunks, 2 needed");
  expect(findings.at(-1)?.action).toMatch(/^make room on the nodes that are full \(a, b, c\)/);
});

test("nodes that just died count as away; for nodes that this machine does not reach, the heartbeat counts", () => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const answer = (id: string, dead: NoAnswer): ReadyAnswer | NoAnswer => (id === "c" || id === "e" ? dead : well);
  const after = (dead: NoAnswer): readonly Finding[] =>
    problems(cluster(ids.map((id) => node(id))), new Map(ids.map((id) => [id, answer(id, dead)])));
  const killed = after(refused);
  expect(killed.map(({ level }) => level)).toEqual(["ok", "ok", "broken", "ok", "broken", "ok", "warning"]);
  expect(killed.at(-1)?.what).toMatch(/% of new chunks go to nodes that stand in for those/);
  expect(killed.at(-1)?.action).toBe("start the nodes that are away: c, e");
  const unseen = after({ reason: "getaddrinfo ENOTFOUND c", isRefused: false });
  expect(unseen.map(({ level }) => level)).toEqual(["ok", "ok", "warning", "ok", "warning", "ok"]);
});

test("a node without an answer is full if its last heartbeat says so", () => {
  const full = { ...stats, bytesFree: MIB };
  const findings = problems(cluster(["a", "b", "c"].map((id) => node(id, { stats: full }))));
  expect(findings.at(-1)?.what).toMatch(/^nothing can be written: 0 of 3/);
});

test("a node outside the layout comes back when it gets a weight, not when it starts", () => {
  const snapshot = cluster([node("a"), node("b"), node("c")]);
  const note = problems({ ...snapshot, nodes: [...snapshot.nodes, node("z")] }).at(-1);
  expect(note?.action).toContain("ashlar layout --weights z=1");
});

test("with two of six nodes down, some chunks go to others: the finding says what share, and which nodes are away", () => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const away = (...down: string[]): ClusterSnapshot =>
    cluster(ids.map((id) => node(id, down.includes(id) ? { state: "down" } : {})));
  expect(levels(away("c"))).toEqual(["ok", "ok", "broken", "ok", "ok", "ok"]);
  const last = problems(away("c", "e")).at(-1);
  const share = Number(last?.what.match(/^([\d.]+) % of new chunks go to nodes that stand in/)?.[1]);
  // Both of two given nodes are among the three of a chunk in 3 · 2 / (6 · 5) of all cases.
  expect(share).toBeGreaterThan(15);
  expect(share).toBeLessThan(25);
  expect(last).toMatchObject({ level: "warning", action: "start the nodes that are away: c, e" });
  expect(problems(away("a", "c", "e")).at(-1)).toMatchObject({
    level: "broken",
    what: expect.stringMatching(/^[\d.]+ % of all chunks may not be readable/),
  });
});

test("chunks whose nodes are full are handed to nobody, unless one of these is away", () => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const last = (...fullIds: string[]): Finding | undefined =>
    problems(
      cluster(ids.map((id) => node(id))),
      new Map(ids.map((id) => [id, fullIds.includes(id) ? readOnly : well])),
    ).at(-1);
  expect(last("c", "e")).toMatchObject({
    level: "broken",
    what: expect.stringMatching(/^[\d.]+ % of new chunks cannot be written: .* are full$/),
  });
});

test("a drained node is up, and the finding says that it is drained", () => {
  const [first] = problems(cluster([node("a", { weight: 0 }), node("b"), node("c"), node("d")]));
  expect(first).toMatchObject({ level: "ok", what: expect.stringContaining("drained (weight 0)") });
});

test("a node that lost its disk is a warning with the date, what it held, and what to do, whatever it answers", () => {
  const lostDisk = { atMs: Date.UTC(2026, 0, 2), chunkCount: 12, bytesUsed: 12 * MIB, isQueued: false };
  const kinds = ["emptied", "replaced", "other"] as const;
  const nodes = kinds.map((kind) => node(kind, { lostDisk: { ...lostDisk, kind } }));
  const answer: ReadyAnswer = { ready: true, checks: { store: "lost its disk", registry: "registered" } };
  const findings = problems(cluster(nodes), new Map(kinds.map((kind) => [kind, answer])));
  expect(findings.map(({ level }) => level)).toEqual(["warning", "warning", "warning"]);
  expect(findings.map(({ what }) => what)).toEqual([
    expect.stringMatching(
      /^emptied lost its disk on 2026-01-02 .*: its folder has no chunks any more; before, it held 12/,
    ),
    expect.stringMatching(/^replaced lost its disk on .*: it runs over a new folder without chunks; /),
    expect.stringMatching(/^other lost its disk on .*: it runs over another folder than before \(a wrong mount, /),
  ]);
  for (const { action } of findings) expect(action).toMatch(/if the disk was replaced, nothing: .*--refuse-lost-disk/);
});

test("every finding that is not ok says why it matters and what to do", () => {
  const findings = [
    ...problems(cluster([node("a", { state: "down" }), node("b", { state: "stopped" })], [2, 1])),
    ...problems({ nodes: [], layouts: [] }),
    ...[
      "none",
      "not registered",
      "refused",
      "id held by another node",
      "read-only",
      "lost its disk",
      "away",
      "does not answer",
      "stopping",
      "what?",
    ].map((state) => checkFinding("part", state)),
    ...clockFinding("a", 20_000, 0),
  ].filter(({ level }) => level !== "ok");
  expect(findings.length).toBeGreaterThan(13);
  for (const finding of findings) {
    expect(finding.why, finding.what).toBeDefined();
    expect(finding.action, finding.what).toBeDefined();
  }
});

test("clocks are compared: a few seconds are no finding, a minute is broken", () => {
  const at = (dateMs: number): unknown => clockFinding("n1", dateMs, 100_000)[0];
  expect([at(95_000), at(104_000)]).toEqual([undefined, undefined]);
  expect(at(70_000)).toMatchObject({ level: "warning", what: "the clock of n1 is 30s behind this machine's" });
  expect(at(190_000)).toMatchObject({ level: "broken", what: "the clock of n1 is 1m 30s ahead of this machine's" });
  expect(clockFinding("n1", undefined, 100_000)).toEqual([]);
});

test("stopped nodes, too few nodes and older layouts are reported, each with what to do", () => {
  const findings = problems(cluster([node("a"), node("b", { state: "stopped" })], [2, 1]));
  expect(findings.map((finding) => finding.level)).toEqual(["ok", "warning", "warning", "broken", "note"]);
  for (const finding of findings) if (finding.level !== "ok") expect(finding.action).toBeDefined();
});

test("a cluster without nodes, and nodes outside the layout, are notes", () => {
  expect(levels({ nodes: [], layouts: [] })).toEqual(["note"]);
  const [snapshot, stray] = [cluster([node("a"), node("b"), node("c")]), node("z")];
  expect(levels({ ...snapshot, nodes: [...snapshot.nodes, stray] })).toEqual(["ok", "ok", "ok", "note"]);
});

test("disks are judged by their free share", () => {
  const level = (bytesFree: number): string | undefined =>
    diskFinding("d", { bytesFree, bytesTotal: 1000 }, String)?.level;
  expect([level(500), level(99), level(9)]).toEqual(["ok", "warning", "broken"]);
  expect(diskFinding("d", {}, String)).toBeUndefined();
  const full = { chunkCount: 1, bytesUsed: 1, bytesFree: 5, bytesTotal: 1000 };
  expect(levels(cluster([node("a", { stats: full }), node("b"), node("c")]))).toEqual(["broken", "ok", "ok"]);
});

/** A snapshot whose newest layout lacks what an older one names. */
function changed(
  nodes: readonly NodeRecord[],
  { without = [], older = true }: { readonly without?: readonly string[]; readonly older?: boolean } = {},
): ClusterSnapshot {
  const [newest, old] = cluster(nodes, [2, 1]).layouts;
  const placed = newest!.nodes.filter(({ nodeId }) => !without.includes(nodeId));
  return { nodes, layouts: [{ ...newest!, nodes: placed }, ...(older ? [old!] : [])] };
}

const MINUTE_MS = 60_000;
const MOVING: Redundancy = { moves: { chunkCount: 5, layoutCount: 2, countedAtMs: NOW_MS - MINUTE_MS } };
const away = (minutes: number) => ({ state: "down", lastHeartbeatAtMs: NOW_MS - minutes * MINUTE_MS }) as const;
const four = (more: Partial<NodeRecord> = {}): readonly NodeRecord[] => [
  ...["a", "b", "c"].map((id) => node(id)),
  node("d", more),
];

test("older layouts in use are a note that says that copies move; not twice if the gateway's figures told it", () => {
  const snapshot = changed(four());
  expect(problems(snapshot).at(-1)).toMatchObject({
    level: "note",
    what: "some chunks still follow older layouts (1): their copies are moving to where layout 2 wants them",
  });
  const told = findClusterProblems(snapshot, { nowMs: NOW_MS, redundancy: MOVING });
  expect(told.map(({ level }) => level)).toEqual(["ok", "ok", "ok", "ok"]);
});

test("older layouts that stay because a node of the newest one is away for long are a warning that names it", () => {
  const stuck = problems(changed(four(away(12)))).at(-1);
  expect(stuck).toMatchObject({ level: "warning", action: expect.stringMatching(/^start d again/) });
  expect(stuck?.what).toContain("it wants some on d (away for 12m)");
  // Told by figures or not: this is what keeps them from moving.
  const told = findClusterProblems(changed(four(away(12))), { nowMs: NOW_MS, redundancy: MOVING });
  expect(told.at(-1)).toEqual(stuck);
  expect(problems(changed(four(away(9)))).at(-1)?.level).toBe("note");
  // A drained node that is away keeps nothing from moving.
  expect(problems(changed(four({ ...away(12), weight: 0 }))).at(-1)?.level).toBe("note");
});

test("a node that was left out because it is away says since when, and whether its copies are made already", () => {
  const [, , , making] = problems(changed(four(away(12)), { without: ["d"] }));
  expect(making).toMatchObject({
    level: "broken",
    what: "d has been away for 12m and is not part of the layout; its copies are made on others",
    why: "until they are made, chunks that it holds have one copy less",
  });
  const [, , , made] = problems(changed(four(away(12)), { without: ["d"], older: false }));
  expect(made).toMatchObject({
    level: "note",
    what: "d has been away for 12m and is not part of the layout; no chunk follows a layout that names it",
  });
});

test("a node that was stopped in order is a warning while its copies are made; one that is away beside others says so", () => {
  const stopped = { state: "stopped", lastHeartbeatAtMs: NOW_MS - 12 * MINUTE_MS } as const;
  expect(problems(changed(four(stopped), { without: ["d"] }))[3]).toMatchObject({ level: "warning" });
  const [a, b, c, d] = four(away(12));
  const lostDisk = { kind: "emptied", atMs: NOW_MS, chunkCount: 1, bytesUsed: 1, isQueued: true } as const;
  const found = problems(changed([a!, { ...b!, ...away(9) }, { ...c!, lostDisk }, d!], { without: ["d"] }));
  expect(found[3]).toMatchObject({
    level: "broken",
    why: expect.stringMatching(/fewer still: copies on b, c are missing too$/),
  });
  expect(found.at(-1)?.why).toMatch(/, and copies on b, c, d are missing$/);
});

test("copies of a node that is away were made only if a count since then says so; it says how old it is", () => {
  const told = (redundancy: Redundancy, older = false): Finding | undefined =>
    findClusterProblems(changed(four(away(12)), { without: ["d"], older }), { nowMs: NOW_MS, redundancy })[3];
  const counted = (minutes: number, short: number): Redundancy => {
    const countedAtMs = NOW_MS - minutes * MINUTE_MS;
    return { copies: { byCopies: [0, 0, short, 40 - short], lost: 0, short, countedAtMs }, countedAtMs };
  };
  expect(told(counted(3, 0))).toMatchObject({
    level: "note",
    what: expect.stringMatching(
      /; its copies were made on others: 40 of 40 chunks have all copies \(counted 3m ago\)$/,
    ),
    action: expect.stringContaining("ashlar layout forget d"),
  });
  expect(told(counted(3, 4))).toMatchObject({
    level: "warning",
    what: expect.stringMatching(/names it, but only 36 of 40 chunks have all copies \(counted 3m ago\)$/),
    action: expect.stringMatching(/^start it again/),
  });
  // From before it went away: its own copies counted.
  expect(told(counted(12, 0))).toMatchObject({
    level: "note",
    what: expect.stringMatching(/names it; chunks were not counted since \(counted 12m ago\)$/),
  });
  const repairs = { kind: "missing", count: 2, sizeBytes: 9, failingCount: 0, bytesPerSecond: 0 } as const;
  const waits = told({ ...counted(3, 0), repairs: { ...repairs, countedAtMs: NOW_MS - 20_000 } });
  expect(waits).toMatchObject({
    level: "warning",
    what: expect.stringMatching(/but 2 copies wait for repair \(counted 20s ago\)$/),
  });
  expect(told(MOVING, true)).toMatchObject({
    level: "broken",
    what: expect.stringMatching(/; its copies are made on others: 5 chunks are behind \(counted 1m ago\)$/),
  });
});

test("a node that is drained or taken out says whether it is still needed", () => {
  const drained = (layouts: number[]) => {
    const { nodes, layouts: all } = cluster(four(), layouts);
    const [newest, ...older] = all;
    const nodesOf = newest!.nodes.map((entry) => (entry.nodeId === "d" ? { ...entry, weight: 0 } : entry));
    return problems({ nodes, layouts: [{ ...newest!, nodes: nodesOf }, ...older] })[3];
  };
  expect(drained([2, 1])).toMatchObject({ level: "ok", what: expect.stringContaining("copies are moving") });
  expect(drained([2])).toMatchObject({ level: "ok", what: expect.stringContaining("no object needs a copy there") });
  const [, , , needed] = problems(changed(four(), { without: ["d"] }));
  expect(needed?.action).toMatch(/^keep it running until nothing is behind/);
  const [, , , free] = problems(changed(four(), { without: ["d"], older: false }));
  expect(free?.action).toMatch(/^stop it/);
});

test("a drained node that does not run is a note that says to remove it, and none while its copies still move", () => {
  const drained = (more: Partial<NodeRecord>, layouts: number[], answers?: NodeAnswers): Finding | undefined => {
    const { nodes, layouts: all } = cluster(four(more), layouts);
    const [newest, ...older] = all;
    const placed = newest!.nodes.map((entry) => (entry.nodeId === "d" ? { ...entry, weight: 0 } : entry));
    return problems({ nodes, layouts: [{ ...newest!, nodes: placed }, ...older] }, answers)[3];
  };
  const stopped = { state: "stopped", lastHeartbeatAtMs: NOW_MS - 5 * MINUTE_MS } as const;
  expect(drained(stopped, [2])).toMatchObject({ level: "note", what: "d is drained and stopped: remove it" });
  expect(drained(stopped, [2])?.action).toMatch(/^ashlar layout --remove d/);
  expect(drained(away(12), [2])).toMatchObject({ level: "note", what: "d is drained and away for 12m: remove it" });
  // Killed a moment ago: the registry takes it for up, and nothing listens there.
  expect(drained({}, [2], new Map([["d", refused]]))).toMatchObject({ level: "note" });
  expect(drained({ ...stopped, url: "ftp://d" }, [2])).toMatchObject({ level: "note" });
  for (const [more, level] of [
    [stopped, "warning"],
    [away(1), "broken"],
  ] as const) {
    const moving = drained(more, [2, 1]);
    expect(moving).toMatchObject({ level, what: expect.stringContaining("its copies are still moving") });
    expect(moving?.action).toMatch(/^start it again at http/);
  }
});

test("a node whose URL nobody can use is broken in every state and counts as away; its password stays hidden", () => {
  for (const state of ["up", "down", "stopped"] as const) {
    const unusable = node("c", { url: "http://user:pa55word@c:1", state });
    const findings = problems(cluster([node("a"), node("b"), unusable]));
    expect(findings.map(({ level }) => level)).toEqual(["ok", "ok", "broken"]);
    expect(findings[2]?.what).toBe("c registered with a URL that nobody can use: …c:1");
    expect(JSON.stringify(findings)).not.toContain("pa55word");
  }
  const two = ["a", "b"].map((id) => node(id, { url: `ftp://${id}` }));
  expect(problems(cluster([...two, node("c")])).at(-1)?.what).toMatch(/^nothing can be written: 1 of 3/);
});
