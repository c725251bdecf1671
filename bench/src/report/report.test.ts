import { describe, expect, test } from "vitest";
import type { PhaseReport } from "../load/phase.ts";
import { PHASES } from "../load/run-load.ts";
import { type BenchmarkResults, RESULTS_SCHEMA_VERSION, type RowResult } from "../results.ts";
import { ROWS, type RowSpec } from "../rows.ts";
import { summarizeRow } from "../summarize-rounds.ts";
import { benchmarkChart } from "./benchmark-chart.ts";
import { benchmarkSection } from "./benchmark-page.ts";
import { judgeTargets } from "./targets.ts";
import { textReport } from "./text-report.ts";

const MIB = 1024 * 1024;

/** `objects` of 1 MB in one second. */
function phase(objects: number, loopMaxMs = 5): PhaseReport {
  const times = { elapsedMs: 1000, latencyP50Ms: 1, latencyP99Ms: 2, loopP99Ms: 3, loopMaxMs };
  return { objects, sizeBytes: objects * 1e6, ...times, peakRssBytes: 100 * MIB };
}

function rowWith(spec: RowSpec, objects: number): RowResult {
  return { ...spec, phases: Object.fromEntries(PHASES.map((name) => [name, phase(objects)])) };
}

function resultsWith(objectsOf: (id: string) => number): BenchmarkResults {
  return {
    schemaVersion: RESULTS_SCHEMA_VERSION,
    startedAt: "2026-11-24T10:00:00.000Z",
    rounds: 1,
    quick: false,
    machine: {
      cpu: "C<P>U & co",
      cores: 2,
      memoryBytes: 8 * 1024 * MIB,
      kernel: "Linux 6",
      node: "24",
      fileSystem: "ext4",
    },
    plan: {
      ...{
        bulkBytes: 1024 * MIB,
        bulkObjectBytes: 64 * MIB,
        bulkInFlight: 4,
        singleBytes: 1024 * MIB,
        largeLimitMs: 10_000,
      },
      ...{ smallCount: 1000, smallLimitMs: 1000, smallBytes: 4096, smallInFlight: 64 },
    },
    chunkBytes: 4 * MIB,
    limits: {
      sha256MegabytesPerSecond: 1500,
      diskMegabytesPerSecond: 1000,
      diskEvery4MibMegabytesPerSecond: 900,
      smallFilesPerSecond1Thread: 2000,
      smallFilesPerSecond16Threads: 9000,
      httpPutMegabytesPerSecond: 1200,
      httpGetMegabytesPerSecond: 1100,
      httpSha256PutMegabytesPerSecond: 500,
      httpSha256GetMegabytesPerSecond: 600,
    },
    rows: ROWS.map((spec) => rowWith(spec, objectsOf(spec.id))),
  };
}

describe("the targets", () => {
  test("are all met by a machine that is fast enough, and none by one that is not", () => {
    const fast = judgeTargets(resultsWith((id) => (id.startsWith("embedded") ? 12_000 : 3500)));
    expect(fast.map(({ target, met }) => [target, met])).toEqual(fast.map(({ target }) => [target, true]));
    const slow = resultsWith((id) => (id.startsWith("cluster") ? 10 : 50));
    const stalling = slow.rows.map((row) => ({ ...row, phases: { ...row.phases, putSmall: phase(50, 10) } }));
    expect(judgeTargets({ ...slow, rows: stalling }).filter(({ met }) => met !== false)).toEqual([]);
  });

  test("name the slowest transport", () => {
    const [one] = judgeTargets(resultsWith((id) => (id === "one/gateway/grpc-js" ? 99 : 200)));
    expect(one).toMatchObject({ met: false });
    expect(one?.measured).toContain("grpc-js");
  });

  test("are not judged where their rows did not run", () => {
    const results = resultsWith(() => 5000);
    const verdicts = judgeTargets({ ...results, rows: results.rows.filter(({ servers }) => servers === "cluster") });
    expect(verdicts.filter(({ met }) => met === undefined)).toHaveLength(verdicts.length - 1);
  });
});

describe("the reports", () => {
  const results = resultsWith((id) => id.length * 10);

  test("have every row in the text, the page and the picture", () => {
    const [text, page, chart] = [textReport(results), benchmarkSection(results), benchmarkChart(results)];
    for (const { id } of ROWS) {
      const figure = String(id.length * 10);
      for (const report of [text, page, chart]) expect(report, id).toContain(figure);
    }
    expect(text.match(/gateway, cluster/g)?.length).toBeGreaterThanOrEqual(6);
    expect(chart.match(/<rect class="put"/g)).toHaveLength(ROWS.length * 2 + 1);
  });

  test("are drawn without a figure where a phase did not run", () => {
    const bare = { ...results, rows: results.rows.map((row) => ({ ...row, phases: {} })) };
    expect(benchmarkChart(bare).match(/<rect/g)).toHaveLength(2);
    expect(textReport(bare)).not.toMatch(/NaN|undefined/);
    expect(benchmarkSection(bare)).not.toMatch(/NaN|undefined/);
  });
});

test("rounds are summed up by the median of their speed and the worst of stalls and memory", () => {
  const [spec] = ROWS as readonly [RowSpec];
  const rounds = [10, 30, 20].map((objects) => rowWith(spec, objects));
  const stalled = { ...phase(15, 99), peakRssBytes: 300 * MIB };
  const summary = summarizeRow([...rounds, { ...rowWith(spec, 15), phases: { putBulk: stalled } }]);
  expect(summary.phases.getBulk).toMatchObject({ objects: 20, loopMaxMs: 5 });
  expect(summary.phases.putBulk).toMatchObject({ objects: 15, loopMaxMs: 99, peakRssBytes: 300 * MIB });
});
