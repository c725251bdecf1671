import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { gateway } from "@ashlar/adapters/node";
import { createClient } from "@ashlar/sdk";
import { isErrorCode } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { parsePromQl, seriesOf } from "./promql.ts";
import { type SmallCluster, startSmallCluster } from "./small-cluster.ts";

const FOLDER = new URL("../../dashboards/", import.meta.url);
/** What Prometheus itself adds. */
const ADDED_METRICS: ReadonlySet<string> = new Set(["up"]);
const ADDED_LABELS: ReadonlySet<string> = new Set(["instance", "job"]);

interface Query {
  readonly where: string;
  readonly expression: string;
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly id: number;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: ReadonlyArray<{
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: unknown;
  }>;
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly action: string };
}

const dashboard = JSON.parse(await readFile(new URL("ashlar.json", FOLDER), "utf8")) as {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: ReadonlyArray<{ readonly name: string; readonly type: string; readonly definition?: string }>;
  };
};
const alerts = parse(await readFile(new URL("alerts.yml", FOLDER), "utf8")) as {
  readonly groups: ReadonlyArray<{ readonly rules: readonly Rule[] }>;
};
const rules = alerts.groups.flatMap((group) => group.rules);
const queries: readonly Query[] = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: `panel "${title}"`, expression: expr })),
  ),
  ...rules.map(({ alert, expr }) => ({ where: `alert ${alert}`, expression: expr })),
];

/** Label names of all series of the servers that ran, by sample name. */
const exposed = new Map<string, Set<string>>();

async function look(url: string): Promise<void> {
  for (const [name, labels] of seriesOf(await (await fetch(`${url}/metrics`)).text())) {
    exposed.set(name, new Set([...(exposed.get(name) ?? []), ...labels]));
  }
}

async function makeTraffic({ gateway: gatewayProcess, apiKey, nodes }: SmallCluster): Promise<void> {
  await using client = createClient(gateway({ url: gatewayProcess.url, apiKey }));
  await client.createBucket({ bucket: "watched" });
  await client.createBucket({ bucket: "watched" }).catch(() => {});
  const body = (): Uint8Array => new Uint8Array(randomBytes(200_000));
  await client.putObject({ bucket: "watched", key: "a", body: body() });
  await (await client.getObject({ bucket: "watched", key: "a" })).bytes();
  await nodes[2]?.kill();
  await client.putObject({ bucket: "watched", key: "b", body: body() });
}

beforeAll(async () => {
  await using cluster = await startSmallCluster({ traced: false, env: { COLLECT_INTERVAL_MS: "1000" } });
  await using folder = await createTempFolder();
  // A node without a gateway: its calls to the registry fail.
  const lonely = await startServerProcess(
    ["node", "--server-id", "lonely", "--data-dir", folder.path, "--port", "0", "--insecure"],
    { ASHLAR_GATEWAY: "http://127.0.0.1:1" },
  );
  try {
    await makeTraffic(cluster);
    await vi.waitFor(
      async () => {
        for (const { url } of [cluster.gateway, ...cluster.nodes.slice(0, 2), lonely]) await look(url);
        const late = ["ashlar_maintenance_things_total", "ashlar_node_registry_call_failures_total"];
        expect([...exposed.keys()]).toEqual(expect.arrayContaining(late));
      },
      { timeout: 40_000, interval: 500 },
    );
  } finally {
    await lonely.kill();
  }
}, 120_000);

afterAll(() => exposed.clear());

describe.each(queries)("$where", ({ expression }) => {
  // Prometheus sees only the values of Grafana's variables.
  const plain = expression.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*");

  it("asks for series and labels that servers expose", () => {
    const known = (name: string): boolean => exposed.has(name) || ADDED_METRICS.has(name);
    const { uses, groupedBy } = parsePromQl(plain, known);
    expect(uses).not.toHaveLength(0);
    for (const { metric, matchers } of uses) {
      const labels = exposed.get(metric) ?? new Set();
      for (const { label } of matchers) expect([...labels, ...ADDED_LABELS], `${label} of ${metric}`).toContain(label);
      for (const label of groupedBy) expect([...labels, ...ADDED_LABELS], `${label} of ${metric}`).toContain(label);
    }
  });

  it("names only error codes that exist", () => {
    const { uses } = parsePromQl(plain, () => true);
    for (const { label, value } of uses.flatMap(({ matchers }) => matchers)) {
      if (label === "code")
        for (const code of value.split("|")) expect(code === "OK" || isErrorCode(code), code).toBe(true);
    }
  });
});

it("legends name labels that their queries keep", () => {
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      const { groupedBy, uses } = parsePromQl(expr.replaceAll("[$__rate_interval]", "[5m]"), () => true);
      const aggregated = /^\s*(sum|max|min|count|histogram_quantile)\b/.test(expr);
      for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        const kept = aggregated ? groupedBy : [...(exposed.get(uses[0]?.metric ?? "") ?? []), ...ADDED_LABELS];
        expect(kept, `${title}: {{${label}}}`).toContain(label);
      }
    }
  }
});

it("panels do not overlap, have ids of their own, and use the chosen data source", () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set<string>();
  for (const { title, gridPos, targets = [], datasource, type } of panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`), `${title} lies over another panel`).toBe(false);
        taken.add(`${x},${y}`);
      }
    }
    if (type === "row") continue;
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own form.
    const chosen = { type: "prometheus", uid: "${datasource}" };
    expect(datasource, title).toEqual(chosen);
    expect(targets.length, title).toBeGreaterThan(0);
    for (const target of targets) expect(target.datasource, title).toEqual(chosen);
  }
  expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
    ["datasource", "datasource"],
    ["instance", "query"],
  ]);
  const [, metric = ""] = /label_values\((\w+), instance\)/.exec(dashboard.templating.list[1]?.definition ?? "") ?? [];
  expect(exposed.has(metric)).toBe(true);
});

it("alerts have names of their own, and say what to do and how urgent it is", () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toMatch(/^Ashlar[A-Z]\w+$/);
    expect(["page", "ticket"]).toContain(labels.severity);
    expect(annotations.summary.length, alert).toBeGreaterThan(10);
    expect(annotations.action.length, alert).toBeGreaterThan(20);
  }
});
