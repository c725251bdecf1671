/** What an expression of PromQL asks for. */
export interface PromQlUse {
  readonly metric: string;
  /** Of its matchers. */
  readonly matchers: ReadonlyArray<{ readonly label: string; readonly operator: string; readonly value: string }>;
}

/** A parsed expression: enough of PromQL for dashboards and alerts, and an error for anything else. */
export interface PromQl {
  readonly uses: readonly PromQlUse[];
  /** Labels by which aggregations group. */
  readonly groupedBy: readonly string[];
}

const WORDS: ReadonlySet<string> = new Set(
  "sum count min max avg rate increase histogram_quantile by without and or unless on ignoring offset".split(" "),
);
const TOKEN =
  /(?<space>\s+)|(?<grouping>\b(?:by|without)\s*\([^)]*\))|(?<range>\[[^\]]*\])|(?<matchers>\{[^}]*\})|(?<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?<other>[0-9.]+|[-+*/()<>=!,]+)/y;
const MATCHER = /^([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"([^"]*)"$/;

/** @throws for a word that is neither a known function nor a metric by `isMetric`, and for anything that is not PromQL. */
export function parsePromQl(expression: string, isMetric: (name: string) => boolean): PromQl {
  const uses: PromQlUse[] = [];
  const groupedBy: string[] = [];
  let position = 0;
  while (position < expression.length) {
    TOKEN.lastIndex = position;
    const { groups, 0: text } = TOKEN.exec(expression) ?? fail(expression, position);
    position += text.length;
    if (groups?.grouping !== undefined) groupedBy.push(...listOf(text.slice(text.indexOf("(") + 1, -1)));
    if (groups?.name !== undefined && !WORDS.has(text)) {
      if (!isMetric(text)) fail(expression, position - text.length);
      uses.push({ metric: text, matchers: [] });
    }
    if (groups?.matchers !== undefined) {
      const use = uses.pop() ?? fail(expression, position);
      uses.push({ ...use, matchers: listOf(text.slice(1, -1)).map((matcher) => matcherOf(matcher, expression)) });
    }
  }
  return { uses, groupedBy };
}

function matcherOf(text: string, expression: string): PromQlUse["matchers"][number] {
  const [, label, operator, value] = MATCHER.exec(text) ?? fail(expression, expression.indexOf(text));
  return { label: label ?? "", operator: operator ?? "", value: value ?? "" };
}

function listOf(text: string): string[] {
  return text.split(",").map((item) => item.trim());
}

function fail(expression: string, position: number): never {
  throw new Error(`not understood at ${position}: ${expression}`);
}

/** The series in a page of Prometheus' text format: label names by sample name. */
export function seriesOf(page: string): ReadonlyMap<string, ReadonlySet<string>> {
  const series = new Map<string, Set<string>>();
  for (const line of page.split("\n")) {
    const [, name = "", labels = ""] = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === "") continue;
    const known = series.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/([A-Za-z_][A-Za-z0-9_]*)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    series.set(name, known);
  }
  return series;
}
