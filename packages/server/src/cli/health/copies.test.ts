import { expect, test } from "vitest";
import { copiesFindings, copiesLine, copiesOf } from "./copies.ts";

const NOW_MS = 1_000_000;

function counted(byCopies: readonly number[], more: { readonly lost?: number; readonly short?: number } = {}) {
  return { byCopies, lost: 0, short: 0, countedAtMs: NOW_MS - 90_000, ...more };
}

const levels = (copies: ReturnType<typeof counted>): readonly string[] =>
  copiesFindings(copies, NOW_MS).map(({ level }) => level);

test("a count is read from metrics, and is none before the first one, or without chunks on nodes", () => {
  const figures = (values: Readonly<Record<string, number>>) => (name: string) => values[name];
  expect(copiesOf(undefined)).toBeUndefined();
  expect(copiesOf(figures({ ashlar_chunks_counted_timestamp_seconds: 0 }))).toBeUndefined();
  expect(copiesOf(figures({ ashlar_chunks_counted_timestamp_seconds: 5 }))).toBeUndefined();
  const values = {
    ...{ ashlar_chunks_counted_timestamp_seconds: 5, ashlar_chunks_lost: 1, ashlar_chunks_short_of_copies: 3 },
    ...{ 'ashlar_chunks_by_copies{copies="0"}': 1, 'ashlar_chunks_by_copies{copies="2"}': 2 },
    ...{ 'ashlar_chunks_by_copies{copies="3"}': 9, 'ashlar_chunks_by_copies{copies="4"}': 0 },
  };
  expect(copiesOf(figures(values))).toEqual({ byCopies: [1, 0, 2, 9], lost: 1, short: 3, countedAtMs: 5000 });
});

test("the line names each number of copies, most first, and how old the count is", () => {
  expect(copiesLine(counted([1, 0, 2, 9]), NOW_MS)).toBe(
    "chunks by copies on nodes that are up: 3: 9, 2: 2, 1: 0, 0: 1 (counted 1m 30s ago)",
  );
});

test("lost chunks, chunks that are away and chunks at risk are told apart", () => {
  expect(levels(counted([0, 0, 0, 9]))).toEqual(["ok"]);
  expect(levels(counted([0, 0, 2, 9], { short: 2 }))).toEqual(["ok"]);
  expect(levels(counted([0, 5, 2, 9], { short: 7 }))).toEqual(["ok", "warning"]);
  const all = copiesFindings(counted([4, 5, 0, 9], { lost: 1, short: 9 }), NOW_MS);
  expect(all.map(({ what }) => what).slice(1)).toEqual([
    "1 chunk has no copy left (counted 1m 30s ago)",
    "3 chunks cannot be read now: all their copies are on nodes that are away (counted 1m 30s ago)",
    "5 chunks have only one copy on a node that is up (counted 1m 30s ago)",
  ]);
  for (const { level, why, action } of all.slice(1)) expect([level, why, action]).not.toContain(undefined);
});

test("one copy is no risk where the layout asks for one", () => {
  expect(levels(counted([0, 12]))).toEqual(["ok"]);
});
