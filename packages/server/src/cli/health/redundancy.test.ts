import { expect, test } from "vitest";
import { redundancyJson, redundancyLines, redundancyOf } from "./redundancy.ts";

const NOW_MS = 1_000_000;
const figures = (values: Readonly<Record<string, number>>) => (name: string) => values[name];

test("every figure is told with when it was counted, as lines and as JSON", () => {
  const redundancy = redundancyOf(
    figures({
      ...{ ashlar_chunks_counted_timestamp_seconds: 280, 'ashlar_chunks_by_copies{copies="2"}': 3 },
      ...{ 'ashlar_chunks_by_copies{copies="3"}': 9, ashlar_chunks_short_of_copies: 3 },
      ...{ ashlar_layouts_in_use: 2, ashlar_chunks_behind_layout: 5, ashlar_repairs_waiting: 4 },
      ...{ ashlar_repair_bytes_waiting: 40, ashlar_work_counted_timestamp_seconds: 990 },
      ashlar_work_expected_end_timestamp_seconds: 1060,
    }),
  );
  const lines = redundancyLines(redundancy, NOW_MS);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/\(counted 12m ago\)$/);
  for (const line of lines.slice(1)) expect(line).toMatch(/done in about 1m at the rate .* \(counted 10s ago\)$/);
  expect(redundancyJson(redundancy)).toMatchObject({
    ...{ chunksByCopies: [0, 0, 3, 9], chunksCountedAtMs: 280_000 },
    repairs: { count: 4, countedAtMs: 990_000, expectedEndAtMs: 1_060_000 },
    moves: { chunkCount: 5, countedAtMs: 990_000, expectedEndAtMs: 1_060_000 },
    ...{ workCountedAtMs: 990_000, expectedEndAtMs: 1_060_000 },
  });
});

test("a gateway that has counted nothing yet, or does not answer, tells nothing", () => {
  for (const figure of [undefined, figures({})]) {
    const redundancy = redundancyOf(figure);
    expect(redundancyLines(redundancy, NOW_MS)).toEqual([]);
    expect(JSON.parse(JSON.stringify(redundancyJson(redundancy)))).toEqual({});
  }
});
