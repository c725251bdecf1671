import type { PhaseName } from "../load/run-load.ts";
import type { BenchmarkResults, RowResult } from "../results.ts";
import { labelOf, rateOf, show, throughputOf } from "./figures.ts";

/** One column of bars: two bars for each row, on one scale from 0. */
interface Panel {
  readonly title: string;
  readonly phases: readonly [put: PhaseName, get: PhaseName];
  readonly figureOf: (row: RowResult, phase: PhaseName) => number | undefined;
  /** A dashed line across the bars. */
  readonly mark?: { readonly value: number; readonly label: string } | undefined;
}

const LABEL_WIDTH = 300;
const PANEL_WIDTH = 280;
/** Room for the figure behind the longest bar. */
const FIGURE_WIDTH = 56;
const GAP = 24;
const TOP = 64;
const BAR_HEIGHT = 9;
const ROW_HEIGHT = 2 * BAR_HEIGHT + 8;
const WIDTH = LABEL_WIDTH + 2 * PANEL_WIDTH + GAP + 16;

/** Colours for light and dark pages; the page behind the picture shows through. */
const STYLE = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 13px; }
  .figure, .mark-label { font-size: 10px; fill: #59636e; }
  .put { fill: #0969da; } .get { fill: #bc6c1b; }
  .mark { stroke: #59636e; stroke-dasharray: 3 3; } .axis { stroke: #c4cad1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .figure, .mark-label { fill: #9aa4af; }
    .put { fill: #58a6ff; } .get { fill: #e3954c; }
    .mark { stroke: #9aa4af; } .axis { stroke: #3d444d; }
  }`;

/** Draws the results as bars: large objects in MB/s, small objects per second. @returns an SVG document. */
export function benchmarkChart(results: BenchmarkResults): string {
  const height = TOP + results.rows.length * ROW_HEIGHT + 16;
  const labels = results.rows.map((row, index) =>
    text(LABEL_WIDTH - 10, middleOf(index), chartLabel(row), 'text-anchor="end"'),
  );
  const [first, second] = panelsOf(results);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Throughput of every seat over every transport">
<style>${STYLE}
</style>
${legend()}
${[...labels, ...panel(first, results.rows, LABEL_WIDTH), ...panel(second, results.rows, LABEL_WIDTH + PANEL_WIDTH + GAP)].join("\n")}
</svg>
`;
}

function panelsOf({ plan, limits }: BenchmarkResults): readonly [Panel, Panel] {
  return [
    {
      title: `objects of ${plan.bulkObjectBytes / 1024 ** 2} MiB, MB/s`,
      phases: ["putBulk", "getBulk"],
      figureOf: throughputOf,
      mark: { value: limits.httpSha256PutMegabytesPerSecond, label: "bare HTTP + SHA-256, put" },
    },
    {
      title: `objects of ${plan.smallBytes / 1024} KiB per second`,
      phases: ["putSmall", "getSmall"],
      figureOf: rateOf,
    },
  ];
}

function panel({ title, phases, figureOf, mark }: Panel, rows: readonly RowResult[], left: number): readonly string[] {
  const values = rows.map((row) => phases.map((phase) => figureOf(row, phase)));
  const largest = Math.max(1, mark?.value ?? 0, ...values.flat().map((value) => value ?? 0));
  const scale = (value: number): number => round((value / largest) * (PANEL_WIDTH - FIGURE_WIDTH));
  const bottom = TOP + rows.length * ROW_HEIGHT;
  const bars = values.flatMap((pair, index) =>
    pair.flatMap((value, way) => {
      if (value === undefined) return [];
      const y = TOP + index * ROW_HEIGHT + way * (BAR_HEIGHT + 1);
      const kind = way === 0 ? "put" : "get";
      return [
        `<rect class="${kind}" x="${left}" y="${y}" width="${scale(value)}" height="${BAR_HEIGHT}"/>`,
        text(left + scale(value) + 4, y + BAR_HEIGHT - 1, show(value), 'class="figure"'),
      ];
    }),
  );
  return [
    text(left, TOP - 28, title, 'class="title"'),
    `<line class="axis" x1="${left}" y1="${TOP - 4}" x2="${left}" y2="${bottom}"/>`,
    ...(mark === undefined ? [] : markLine(left + scale(mark.value), bottom, mark)),
    ...bars,
  ];
}

function markLine(x: number, bottom: number, { value, label }: { value: number; label: string }): readonly string[] {
  return [
    `<line class="mark" x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${bottom}"/>`,
    text(x, TOP - 10, `${label}: ${show(value)}`, 'class="mark-label" text-anchor="middle"'),
  ];
}

function legend(): string {
  return [
    `<rect class="put" x="16" y="20" width="12" height="12"/>`,
    text(33, 30, "put"),
    `<rect class="get" x="70" y="20" width="12" height="12"/>`,
    text(87, 30, "get"),
  ].join("\n");
}

function chartLabel(row: RowResult): string {
  return row.servers === "none" || row.durability !== "os" ? `${labelOf(row)}, ${row.durability}` : labelOf(row);
}

function middleOf(index: number): number {
  return TOP + index * ROW_HEIGHT + BAR_HEIGHT + 4;
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}"${attributes === "" ? "" : ` ${attributes}`}>${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
