import { expect, test } from "vitest";
import { movesFindings, movesLine, movesOf } from "./moves.ts";

const NOW_MS = 1_000_000;
const figures = (values: Readonly<Record<string, number>>) => (name: string) => values[name];

test("chunks are behind while more than one layout is in use, also if another gateway moves them", () => {
  expect(movesOf(undefined)).toBeUndefined();
  expect(movesOf(figures({}))).toBeUndefined();
  expect(movesOf(figures({ ashlar_layouts_in_use: 1, ashlar_chunks_behind_layout: 7 }))).toBeUndefined();
  expect(movesOf(figures({ ashlar_layouts_in_use: 2 }))).toEqual({ chunkCount: 0, layoutCount: 2 });
  expect(movesOf(figures({ ashlar_layouts_in_use: 3, ashlar_chunks_behind_layout: 7 }))).toEqual({
    ...{ chunkCount: 7, layoutCount: 3 },
  });
});

test("they are a note, with how many", () => {
  expect(movesFindings(undefined, NOW_MS)).toEqual([]);
  expect(movesLine({ chunkCount: 1, layoutCount: 2 }, NOW_MS)).toMatch(/^1 chunk is behind the newest layout/);
  expect(movesLine({ chunkCount: 0, layoutCount: 2 }, NOW_MS)).toMatch(/^2 layouts are in use/);
  const [finding] = movesFindings({ chunkCount: 2, layoutCount: 2 }, NOW_MS);
  expect(finding).toMatchObject({
    level: "note",
    what: "2 chunks are behind the newest layout: copies are moving to where it wants them",
    action: expect.stringContaining("layout show"),
  });
});

test("the line says how old it is, and when it will be done if that is known", () => {
  const told = { ashlar_layouts_in_use: 2, ashlar_chunks_behind_layout: 7, ashlar_work_counted_timestamp_seconds: 280 };
  expect(movesLine(movesOf(figures(told))!, NOW_MS)).toBe(
    "7 chunks are behind the newest layout: copies are moving to where it wants them (counted 12m ago)",
  );
  const moves = movesOf(figures({ ...told, ashlar_work_expected_end_timestamp_seconds: 1090 }));
  expect(moves).toEqual({ chunkCount: 7, layoutCount: 2, countedAtMs: 280_000, expectedEndAtMs: 1_090_000 });
  expect(movesLine(moves!, 1_090_000)).not.toContain("done in");
  expect(movesLine(moves!, NOW_MS)).toMatch(
    /, done in about 1m 30s at the rate of the last minutes \(counted 12m ago\)$/,
  );
});
