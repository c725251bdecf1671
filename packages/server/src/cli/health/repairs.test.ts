import { expect, test } from "vitest";
import { repairFindings, repairsLine, repairsOf } from "./repairs.ts";

const MIB = 1024 * 1024;
const NOW_MS = 1_000_000;
const figures = (values: Readonly<Record<string, number>>) => (name: string) => values[name];

test("what waits is read from metrics; nothing is said where nothing waits", () => {
  expect(repairsOf(undefined)).toBeUndefined();
  expect(repairsOf(figures({}))).toBeUndefined();
  expect(repairsOf(figures({ ashlar_repairs_waiting: 0, ashlar_repairs_failing: 0 }))).toBeUndefined();
  expect(repairFindings(undefined, NOW_MS)).toEqual([]);
  const values = { ashlar_repairs_waiting: 3, ashlar_repair_bytes_waiting: 12, ashlar_repairs_failing: 1 };
  expect(repairsOf(figures(values))).toEqual({
    kind: "missing",
    count: 3,
    sizeBytes: 12,
    failingCount: 1,
    bytesPerSecond: 0,
  });
});

test("the line says how much is left, and how long it takes once a rate is known", () => {
  const waiting = { kind: "missing" as const, count: 2, sizeBytes: 90 * MIB, failingCount: 0, bytesPerSecond: 0 };
  expect(repairsLine(waiting, NOW_MS)).toBe("2 missing copies (90.0 MiB) wait for repair");
  expect(repairsLine({ ...waiting, bytesPerSecond: MIB }, NOW_MS)).toBe(
    "2 missing copies (90.0 MiB) wait for repair: about 1m 30s at 1.0 MiB/s, if all nodes are up",
  );
  expect(repairsLine({ ...waiting, count: 1, sizeBytes: 1, bytesPerSecond: MIB }, NOW_MS)).toContain(
    "1 missing copy (1 B)",
  );
});

test("copies that fail again and again are a finding of their own", () => {
  const waiting = { kind: "missing" as const, count: 2, sizeBytes: 90, failingCount: 0, bytesPerSecond: 0 };
  expect(repairFindings(waiting, NOW_MS)).toHaveLength(1);
  const [, failing] = repairFindings({ ...waiting, failingCount: 2 }, NOW_MS);
  expect(failing).toMatchObject({ level: "warning", what: "2 missing copies could not be restored in several tries" });
});

const MOVING = { ashlar_layouts_in_use: 2, ashlar_chunks_behind_layout: 5, ashlar_repairs_waiting: 3 };

test("copies that only move are not told as missing: their chunks have all copies by the older layout", () => {
  const counted = { ashlar_chunks_counted_timestamp_seconds: 5, 'ashlar_chunks_by_copies{copies="3"}': 9 };
  const moving = repairsOf(figures({ ...MOVING, ...counted, ashlar_repair_bytes_waiting: 12 }));
  expect(moving?.kind).toBe("moving");
  const [finding] = repairFindings(moving, NOW_MS);
  expect(finding).toMatchObject({
    level: "note",
    what: "3 copies (12 B) wait to be made where the newest layout wants them",
  });
  expect(JSON.stringify(repairFindings({ ...moving!, failingCount: 1 }, NOW_MS))).not.toContain("missing cop");
});

test("while copies move, some may be missing too: a warning, unless a count says that none is", () => {
  const short = { ashlar_chunks_counted_timestamp_seconds: 5, 'ashlar_chunks_by_copies{copies="2"}': 9 };
  for (const more of [{}, { ...short, ashlar_chunks_short_of_copies: 9 }]) {
    const mixed = repairsOf(figures({ ...MOVING, ...more }));
    expect(mixed?.kind).toBe("mixed");
    expect(repairFindings(mixed, NOW_MS)).toMatchObject([
      { level: "warning", what: expect.stringMatching(/missing ones, and/) },
    ]);
  }
  // With one layout in use nothing moves, whatever the last pass of a gateway said.
  expect(repairsOf(figures({ ...MOVING, ashlar_layouts_in_use: 1 }))?.kind).toBe("missing");
});

test("every figure says how old it is; the end is that of all gateways, if they can tell", () => {
  const values = {
    ...{ ashlar_repairs_waiting: 2, ashlar_repair_bytes_waiting: 12, ashlar_repairs_failing: 1 },
    ...{ ashlar_repair_bytes_per_second: 1, ashlar_work_counted_timestamp_seconds: 970 },
  };
  const waiting = repairsOf(figures(values));
  expect(waiting).toMatchObject({ countedAtMs: 970_000 });
  for (const { what } of repairFindings(waiting, NOW_MS)) expect(what).toMatch(/\(counted 30s ago\)$/);
  const ending = repairsOf(figures({ ...values, ashlar_work_expected_end_timestamp_seconds: 1120 }));
  expect(repairsLine(ending!, NOW_MS)).toBe(
    "2 missing copies (12 B) wait for repair, done in about 2m at the rate of the last minutes (counted 30s ago)",
  );
});
