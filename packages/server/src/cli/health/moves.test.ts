import { expect, test } from "vitest";
import { movesFindings, movesLine, movesOf } from "./moves.ts";

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
  expect(movesFindings(undefined)).toEqual([]);
  expect(movesLine({ chunkCount: 1, layoutCount: 2 })).toMatch(/^1 chunk is behind the newest layout/);
  expect(movesLine({ chunkCount: 0, layoutCount: 2 })).toMatch(/^2 layouts are in use/);
  const [finding] = movesFindings({ chunkCount: 2, layoutCount: 2 });
  expect(finding).toMatchObject({
    level: "note",
    what: "2 chunks are behind the newest layout: copies are moving to where it wants them",
    action: expect.stringContaining("layout show"),
  });
});
