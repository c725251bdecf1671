import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gateway } from "@ashlar/adapters/node";
import { createClient } from "@ashlar/sdk";
import { isErrorCode } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { putEverywhere } from "../support/put-everywhere.ts";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { type PromQlUse, parsePromQl, seriesOf } from "./promql.ts";
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

/** The samples of a server, under the name of its scrape job. */
interface Scrape {
  readonly job: string;
  readonly page: string;
}

/** Before and after a chunk was damaged, and what the gateway logged until then. */
const scrapes = { before: [] as readonly Scrape[], after: [] as readonly Scrape[], log: "" };

async function scrape({ gateway: gatewayProcess, nodes }: SmallCluster): Promise<readonly Scrape[]> {
  const jobs = [["ashlar-gateway", gatewayProcess], ...nodes.map((node) => ["ashlar-node", node] as const)] as const;
  return await Promise.all(
    // A node renews the figures of its store when it is asked whether it is ready.
    jobs.map(async ([job, { url }]) => {
      await fetch(`${url}/readyz`);
      return { job, page: await (await fetch(`${url}/metrics`)).text() };
    }),
  );
}

/** Damages every copy of the only object, and reads it. */
async function meetDamage(cluster: SmallCluster): Promise<void> {
  for (const folder of cluster.dataFolders) {
    for (const name of await readdir(join(folder, "chunks"), { recursive: true })) {
      if (!/[0-9a-f]{64}$/.test(name)) continue;
      const file = join(folder, "chunks", name);
      const bytes = await readFile(file);
      bytes[1000]! ^= 1;
      await writeFile(file, bytes);
    }
  }
  scrapes.before = await scrape(cluster);
  await using client = createClient(gateway({ url: cluster.gateway.url, apiKey: cluster.apiKey, retry: { forMs: 0 } }));
  await expect(client.getObject({ bucket: "watched", key: "a" }).then((got) => got.bytes())).rejects.toThrow(
    "watched/a",
  );
  scrapes.log = cluster.gateway.log();
  // A rendering of metrics is kept for ten times as long as it took, so the next one may be the one of before.
  const damaged = { metric: "ashlar_chunks_damaged_total", matchers: [] };
  const look = async (): Promise<void> => {
    scrapes.after = await scrape(cluster);
    const counts = [scrapes.after.slice(0, 1), scrapes.after.slice(1)].map((found) => sumOf(found, damaged));
    if (counts.includes(0)) throw new Error("not counted yet");
  };
  // The tests say what is missing.
  await vi.waitFor(look, { timeout: 20_000, interval: 100 }).catch(() => {});
}

async function makeTraffic(cluster: SmallCluster): Promise<void> {
  const { gateway: gatewayProcess, apiKey, nodes } = cluster;
  await using client = createClient(gateway({ url: gatewayProcess.url, apiKey }));
  await client.createBucket({ bucket: "watched" });
  await client.createBucket({ bucket: "watched" }).catch(() => {});
  const body = (): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(200_000));
  // All copies are damaged then, and a node makes its folder of chunks with its first one.
  await putEverywhere(client, { bucket: "watched", key: "a", body: body() });
  await (await client.getObject({ bucket: "watched", key: "a" })).bytes();
  await meetDamage(cluster);
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

/** What the samples of a metric add up to on all servers that the matchers of a query let through. */
function sumOf(found: readonly Scrape[], { metric, matchers }: PromQlUse): number {
  let sum = 0;
  for (const { job, page } of found) {
    for (const line of page.split("\n")) {
      const [, name, labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name !== metric) continue;
      const of = new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", text = ""]) => [label, text]));
      of.set("job", job);
      const isMatched = matchers.every(({ label, operator, value: wanted }) => {
        const isSame = operator.endsWith("~")
          ? new RegExp(`^(?:${wanted})$`).test(of.get(label) ?? "")
          : of.get(label) === wanted;
        return isSame !== operator.startsWith("!");
      });
      if (isMatched) sum += Number(value);
    }
  }
  return sum;
}

it.each(["AshlarChunkDamaged", "AshlarChunkUnreadable"])(
  "%s fires when a chunk is damaged, from counters that were there before",
  (name) => {
    const rule = rules.find(({ alert }) => alert === name);
    const { uses } = parsePromQl(rule?.expr ?? "", () => true);
    const [use] = uses.filter(({ metric }) => metric.startsWith("ashlar_"));
    expect(use).toBeDefined();
    expect(scrapes.before[0]?.page).toContain(`# TYPE ${use!.metric} counter`);
    expect(sumOf(scrapes.before, use!)).toBe(0);
    expect(sumOf(scrapes.after, use!), scrapes.log).toBeGreaterThan(0);
  },
);

it("AshlarLayoutStuck is about chunks that come to follow the newest layout: neither repairs nor deletes silence it", () => {
  const rule = rules.find(({ alert }) => alert === "AshlarLayoutStuck");
  const { uses } = parsePromQl(rule?.expr ?? "", () => true);
  expect(uses.map(({ metric }) => metric)).toEqual(["ashlar_chunks_behind_layout", "ashlar_maintenance_things_total"]);
  expect(uses[1]?.matchers).toEqual([{ label: "what", operator: "=", value: "chunksMoved" }]);
  // Without a round of rebalance there is no such counter, and the alert must fire then, too.
  expect(rule?.expr).toMatch(/ unless sum\(increase\(.*\)\) > 0$/);
});

it("damaged copies are counted by the gateway that met them and by the nodes that held them", () => {
  const use = { metric: "ashlar_chunks_damaged_total", matchers: [] };
  const counts = (found: readonly Scrape[]): readonly number[] => found.map((each) => sumOf([each], use));
  expect(counts(scrapes.before)).toEqual([0, 0, 0, 0]);
  const [atGateway, ...atNodes] = counts(scrapes.after);
  expect(atGateway, scrapes.log).toBeGreaterThanOrEqual(1);
  expect(Math.max(...atNodes), scrapes.log).toBe(1);
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
