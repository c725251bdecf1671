import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CliResult, cli, cliJson, type RunningCli, spawnCli, startCli } from "../support/cli.ts";
import { createPostgresSchema, type PostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

const CLUSTER_KEY = "the tests' own cluster key, 32 characters";

interface RingJson {
  readonly layoutVersion: number;
  readonly replicationFactor: number;
  readonly nodes: ReadonlyArray<{
    readonly nodeId: string;
    readonly state: string;
    readonly totalShare: number;
    readonly virtualNodes: number;
    readonly zone?: string;
  }>;
}

let folder: TempFolder;
let schema: PostgresSchema;
let server: Record<string, string>;
let client: Record<string, string>;
const running = new Map<string, RunningCli>();

function node(id: string, ...more: string[]): string[] {
  return ["node", "--server-id", id, "--data-dir", folder.at(id), "--port", "0", "--durability", "os", ...more];
}

beforeAll(async () => {
  folder = await createTempFolder();
  schema = await createPostgresSchema();
  server = { DATABASE_URL: schema.url, CLUSTER_KEY, LOG_LEVEL: "info" };
  const gateway = startCli(["gateway", "--port", "0"], { env: server });
  running.set("gateway", gateway);
  const [, url = ""] = await gateway.until(/listens on (\S+)/);
  const [, apiKey = ""] = await gateway.until(/shown this once: (\S+)/);
  client = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
  for (const id of ["n1", "n2", "n3"]) {
    running.set(id, startCli(node(id, "--zone", `rack-${id}`), { env: server }));
    await running.get(id)?.until(/listens on/);
  }
});
afterAll(async () => {
  for (const [, process] of [...running].reverse()) await process.stop();
  await schema.drop();
  await folder[Symbol.asyncDispose]();
});

describe("a cluster by hand", () => {
  test("shows its ring", async () => {
    const [ring] = await cliJson<RingJson>(["ring"], { env: client });
    expect(ring).toMatchObject({ layoutVersion: 3, replicationFactor: 3 });
    expect(ring?.nodes.map(({ nodeId }) => nodeId)).toEqual(["n1", "n2", "n3"]);
    for (const entry of ring?.nodes ?? [])
      expect(entry).toMatchObject({ state: "up", virtualNodes: 150, zone: `rack-${entry.nodeId}` });
    expect(ring?.nodes.reduce((sum, entry) => sum + entry.totalShare, 0)).toBeCloseTo(1);
    const text = await cli(["ring"], { env: client });
    expect(text.stdout).toMatch(/^layout 3, 3 copies/);
    expect(text.stdout).toMatch(/n2 +rack-n2 +up/);
    // The same from the database, where no gateway is asked.
    expect(await cliJson(["ring"], { env: { DATABASE_URL: schema.url } })).toMatchObject([{ layoutVersion: 3 }]);
  });

  test.each(["gateway", "direct"])("carries objects in the %s seat", async (seat) => {
    const bytes = testBytes(3_000_000, 11);
    writeFileSync(folder.at("file"), bytes);
    const { ASHLAR_GATEWAY: url = "", ASHLAR_API_KEY = "" } = client;
    const flags = [`--${seat}`, url];
    const env = { ASHLAR_API_KEY };
    const put = await cli(
      ["put", folder.at("file"), `box-${seat}/file`, "--create-bucket", "--chunk-bytes", "1MiB", ...flags],
      { env },
    );
    expect(put.exitCode, put.stderr).toBe(0);
    const get = await cli(["get", `box-${seat}/file`, "-", ...flags], { env });
    expect(get.stdoutBytes.equals(bytes)).toBe(true);
  });

  test("is healthy, and says what it looked at", async () => {
    const health = await cli(["health"], { env: client });
    expect(health.exitCode, health.stdout).toBe(0);
    expect(health.stdout).toMatch(/ok +metadata: ok/);
    expect(health.stdout).toMatch(/ok +n3 is up/);
    const { ASHLAR_GATEWAY: url = "" } = client;
    const withoutKey = await cli(["health", url]);
    expect(withoutKey.exitCode).toBe(0);
    expect(withoutKey.stdout).toContain("the cluster was not examined");
  });

  test("looks at one node", async () => {
    const [, url = ""] =
      running
        .get("n1")
        ?.stdout()
        .match(/listens on (\S+)/) ?? [];
    const health = await cli(["health", url]);
    expect(health.exitCode, health.stdout).toBe(0);
    expect(health.stdout).toMatch(/ok +registry: registered/);
    const size = /disk: .* of (.*) free/;
    expect(health.stdout).toMatch(size);
    // All nodes are on one disk here, which the gateway counts once.
    const gateway = await cli(["health", "--json"], { env: client });
    const [, gatewaySize] = gateway.stdout.match(/fullest disk: \S+ \S+ of (\S+ \S+) free/) ?? [];
    expect(gatewaySize).toBe(health.stdout.match(size)?.[1]);
  });

  test("lets no node into the folder or under the id of another one", async () => {
    const intruder = (id: string, data: string): Promise<CliResult> =>
      cli(["node", "--server-id", id, "--data-dir", folder.at(data), "--port", "0"], { env: server });
    const whileItRuns = await intruder("n9", "n1");
    expect([whileItRuns.exitCode, whileItRuns.stderr]).toEqual([6, expect.stringContaining("(n1) runs in")]);
    const elsewhere = startCli(node("n1", "--data-dir", folder.at("n1-elsewhere")), { env: server });
    const [, url = ""] = await elsewhere.until(/listens on (\S+)/);
    const health = await cli(["health", url]);
    expect(health.exitCode).toBe(5);
    expect(health.stdout).toMatch(/broken +registry: id held by another node\n +why: .*\n +do: /);
    const { stderr } = await elsewhere.stop();
    expect(stderr).toContain("the node id n1 is held by the node at");
    const [ring] = await cliJson<RingJson>(["ring"], { env: client });
    expect(ring?.nodes.find(({ nodeId }) => nodeId === "n1")?.state).toBe("up");
    const afterwards = await intruder("n9", "n1-elsewhere");
    expect([afterwards.exitCode, afterwards.stderr]).toEqual([
      6,
      expect.stringContaining("folder of the storage node n1"),
    ]);
  });

  test("notes a node that was stopped, and finds it up again after its start", async () => {
    const { exitCode } = await running.get("n2")!.stop();
    expect(exitCode).toBe(0);
    const [stopped] = await cliJson<RingJson>(["ring"], { env: client });
    expect(stopped?.nodes.find(({ nodeId }) => nodeId === "n2")?.state).toBe("stopped");
    const health = await cli(["health"], { env: client });
    expect(health.stdout).toMatch(/warning +n2 was stopped in order/);
    running.set("n2", startCli(node("n2", "--zone", "rack-n2"), { env: server }));
    await running.get("n2")!.until(/listens on/);
    const [again] = await cliJson<RingJson>(["ring"], { env: client });
    expect(again).toMatchObject({ layoutVersion: 3 });
    expect(again?.nodes.find(({ nodeId }) => nodeId === "n2")?.state).toBe("up");
  });

  test("changes its layout for an admin, and for nobody else", async () => {
    const weak = await cli(["key", "create", "--role", "readwrite"], { env: server });
    const env = { ...client, ASHLAR_API_KEY: weak.stdout.trim() };
    expect((await cli(["layout", "--weights", "n1=2"], { env })).exitCode).toBe(4);
    const change = await cli(["layout", "--weights", "n1=2", "--replication-factor", "2"], { env: client });
    expect(change.stdout).toBe("layout 4 is in use: 2 copies on n1=2, n2=1, n3=1\n");
    const [ring] = await cliJson<RingJson>(["ring"], { env: client });
    expect(ring?.nodes[0]).toMatchObject({ nodeId: "n1", virtualNodes: 300 });
    const removal = await cli(["layout", "--remove", "n3", "--no-wait", "--json"], { env: client });
    expect(JSON.parse(removal.stdout)).toMatchObject({
      layoutVersion: 5,
      nodes: [{ nodeId: "n1" }, { nodeId: "n2" }],
    });
    const health = await cli(["health"], { env: client });
    expect(health.stdout).toMatch(/n3 is not part of the layout[\s\S]*layout --weights n3=1/);
    expect((await cli(["ring"], { env: client })).stdout).toContain("older layouts still in use");
    // The same from the database, where no gateway is asked: it tells no figures.
    const database = { DATABASE_URL: schema.url };
    const [shown] = await cliJson(["layout", "show"], { env: database });
    expect(shown).toMatchObject({ layoutVersion: 5, nodes: [{ nodeId: "n1" }, { nodeId: "n2" }] });
    const tooFew = await cli(["layout", "drain", "n1"], { env: database });
    expect([tooFew.exitCode, tooFew.stderr]).toEqual([6, expect.stringContaining("only 1 node would take chunks")]);
    const drained = await cli(["layout", "drain", "n1", "--force", "--no-wait", "--json"], { env: database });
    expect(JSON.parse(drained.stdout)).toMatchObject({ layoutVersion: 6, nodeIds: ["n1"] });
    await cli(["layout", "--weights", "n1=1"], { env: database });
    const [, url = ""] =
      running
        .get("gateway")
        ?.stdout()
        .match(/listens on (\S+)/) ?? [];
    const get = await cli(["get", "box-direct/file", "-", "--direct", url], {
      env: { ASHLAR_API_KEY: client.ASHLAR_API_KEY },
    });
    expect(get.exitCode, get.stderr).toBe(0);
    expect(get.stdoutBytes.byteLength).toBe(3_000_000);
  });

  test("a second gateway shows no credentials", async () => {
    const second = startCli(["gateway", "--port", "0", "--json"], { env: server });
    await second.until(/\n/);
    expect(JSON.parse(second.stdout())).toEqual({ url: expect.any(String), insecure: false, takenPorts: [] });
    expect((await second.stop()).exitCode).toBe(0);
  });

  test("shows a killed node as down only after it has missed its heartbeats", async () => {
    const killed = spawnCli(node("n9"), { env: server });
    await killed.until(/listens on/);
    killed.kill("SIGKILL");
    await killed.ended.catch(() => {});
    const stateOf = async (): Promise<string | undefined> => {
      const [ring] = await cliJson<RingJson>(["ring"], { env: client });
      return ring?.nodes.find(({ nodeId }) => nodeId === "n9")?.state;
    };
    expect(await stateOf()).toBe("up");
    const atOnce = await cli(["health"], { env: client });
    expect([atOnce.exitCode, atOnce.stdout]).toEqual([
      5,
      expect.stringMatching(/broken +n9 does not answer at .*ECONNREFUSED[\s\S]*layout --remove n9/),
    ]);
    // Half a minute passes in the database, which judges the node by its own clock.
    await schema.query(
      "UPDATE storage_servers SET last_heartbeat_at_ms = last_heartbeat_at_ms - 31000 WHERE server_id = 'n9'",
    );
    expect(await stateOf()).toBe("down");
    const health = await cli(["health"], { env: client });
    expect(health.exitCode).toBe(5);
    expect(health.stdout).toMatch(
      /broken +n9 is down, last heartbeat .*\n +why: .*\n +do: +start it again at .*ashlar layout --remove n9/,
    );
    const blind = await cli(["layout", "--remove", "n9"], { env: { DATABASE_URL: schema.url } });
    expect([blind.exitCode, blind.stderr]).toEqual([6, expect.stringMatching(/n9 is not up, and no gateway tells/)]);
    await cli(["layout", "--remove", "n9", "--force", "--no-wait"], { env: client });
  });
});

describe("servers that lack a setting", () => {
  test.each([
    ["a node without a name", ["node", "--data-dir", "x"], {}, "SERVER_ID"],
    ["a node without a folder", ["node", "--server-id", "n"], {}, "DATA_DIR"],
    ["a node without a registry", ["node", "--server-id", "n", "--data-dir", "x"], { CLUSTER_KEY }, "DATABASE_URL"],
    [
      "a node on every interface",
      ["node", "--server-id", "n", "--data-dir", "x", "--host", "0.0.0.0"],
      {},
      "PUBLIC_URL",
    ],
    ["a node without a cluster key", ["node", "--server-id", "n", "--data-dir", "x"], {}, "CLUSTER_KEY"],
    [
      "a node with a bad id",
      ["node", "--server-id", "n n", "--data-dir", "TEMP", "--gateway", "http://127.0.0.1:1"],
      { CLUSTER_KEY },
      "node id",
    ],
    ["a gateway without a cluster key", ["gateway", "--path", "x"], {}, "CLUSTER_KEY"],
    ["a gateway with a short one", ["gateway", "--path", "TEMP"], { CLUSTER_KEY: "short" }, "32"],
    ["a gateway without a database", ["gateway"], { CLUSTER_KEY }, "DATABASE_URL"],
    ["a gateway with two keys", ["gateway", "--path", "x", "--cluster-key-file", "y"], { CLUSTER_KEY }, "not both"],
    ["a key file that is not there", ["gateway", "--path", "x", "--cluster-key-file", "/nowhere"], {}, "/nowhere"],
  ])("%s: exit code 2, and the message names it", async (_what, argv, env, named) => {
    const run = await cli(
      argv.map((part) => part.replace("TEMP", folder.at("too-little"))),
      { env },
    );
    expect(run.exitCode, run.stderr).toBe(2);
    expect(run.stderr).toContain(named);
  });
});

describe("a cluster without PostgreSQL", () => {
  test("keeps its metadata in a folder; nodes register through the gateway, with the cluster key in a file", async () => {
    const keyFile = folder.at("key");
    writeFileSync(keyFile, `${CLUSTER_KEY}\n`, { mode: 0o644 });
    const gateway = startCli(["gateway", "--path", folder.at("meta"), "--port", "0", "--cluster-key-file", keyFile]);
    const [, url = ""] = await gateway.until(/listens on (\S+)/);
    const [, apiKey = ""] = await gateway.until(/shown this once: (\S+)/);
    const other = startCli(node("m1", "--gateway", url, "--cluster-key-file", keyFile));
    await other.until(/listens on/);
    const env = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
    expect(await cliJson(["ring"], { env })).toMatchObject([
      { layoutVersion: 1, nodes: [{ nodeId: "m1", state: "up" }] },
    ]);
    const health = await cli(["health"], { env });
    expect(health.stdout).toContain("3 copies are wanted, but there are only 1 node");
    const put = await cli(["put", "-", "box/x", "--create-bucket"], { env, input: testBytes(100_000, 1) });
    expect(put.exitCode, put.stderr).toBe(0);
    const ended = await other.stop();
    expect(ended.stderr).toContain("chmod 600");
    expect((await gateway.stop()).exitCode).toBe(0);
  });

  test("a node with another cluster key is not let in, and goes on trying", async () => {
    const gateway = startCli(["gateway", "--path", folder.at("meta-2"), "--port", "0", "--log-level", "silent"], {
      env: { CLUSTER_KEY },
    });
    const [, url = ""] = await gateway.until(/listens on (\S+)/);
    const [, apiKey = ""] = await gateway.until(/shown this once: (\S+)/);
    const refused = startCli(node("s1", "--gateway", url), {
      env: { CLUSTER_KEY: "another key that has 32 characters" },
    });
    const [, refusedUrl = ""] = await refused.until(/listens on (\S+)/);
    const health = await cli(["health", refusedUrl]);
    expect(health.exitCode).toBe(5);
    expect(health.stdout).toMatch(
      /broken +registry: refused\n +why: its cluster key.*\n +do: +give it the CLUSTER_KEY/,
    );
    expect(await cliJson(["ring"], { env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey } })).toMatchObject([
      { nodes: [] },
    ]);
    const ended = await refused.stop();
    expect(ended.exitCode).toBe(0);
    expect(ended.stderr).toContain("UNAUTHENTICATED");
    await gateway.stop();
  });

  test("insecure servers say so", async () => {
    const gateway = startCli(["gateway", "--path", folder.at("meta-3"), "--port", "0", "--insecure"]);
    const [, url = ""] = await gateway.until(/listens on (\S+)/);
    expect(gateway.stdout()).toContain("ACCESS CONTROL IS OFF");
    const open = startCli(node("o1", "--gateway", url, "--insecure"));
    await open.until(/listens on/);
    const env = { ASHLAR_GATEWAY: url };
    const put = await cli(["put", "-", "box/x", "--create-bucket", "--durability", "os"], {
      env,
      input: testBytes(100_000, 1),
    });
    expect(put.exitCode, put.stderr).toBe(0);
    expect((await open.stop()).stderr).toContain("insecure");
    await gateway.stop();
  });
});
