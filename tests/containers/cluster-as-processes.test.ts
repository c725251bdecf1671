import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient, direct, gateway, MIB } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTempFolder } from "../support/temp-folder.ts";
import { ROOT, readCompose } from "./compose-file.ts";
import { type ComposeProcess, type ComposeProcesses, composeUp } from "./compose-processes.ts";
import { composeSecrets } from "./compose-secrets.ts";
import { defineEndToEnd } from "./end-to-end.ts";

const GATEWAY_PORT = 9000;

describe("docker-compose.yml, its services as plain processes", { timeout: 60_000 }, () => {
  let cluster: ComposeProcesses;
  let url: string;
  let apiKey: string;
  beforeAll(async () => {
    cluster = await composeUp(readCompose(["docker-compose.yml"], composeSecrets()));
    url = cluster.url("gateway", GATEWAY_PORT);
    apiKey = (await service("gateway").exec(["ashlar", "key", "create", "--role", "admin"])).trim();
  }, 300_000);
  afterAll(() => cluster?.down());

  const service = (name: string): ComposeProcess => {
    const found = cluster.services.get(name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };

  test("are healthy, the gateway last", async () => {
    expect(cluster.services.size).toBe(7);
    expect(service("gateway").startedAfter.toSorted()).toEqual([1, 2, 3, 4, 5, 6].map((index) => `node-${index}`));
    const ready = await fetch(`${url}/readyz`);
    expect(await ready.json()).toMatchObject({ ready: true });
  });

  test("show the first API key in the gateway's output, and make more with exec", () => {
    expect(service("gateway").stdout()).toMatch(/first API key.*: ashlar_/);
    expect(apiKey).toMatch(/^ashlar_[\w-]+$/);
  });

  test("take the calls that the head of the file shows", async () => {
    const text = await readFile(join(ROOT, "docker-compose.yml"), "utf8");
    const calls = [...text.matchAll(/^# {3}(curl .*)$/gm)].map(([, line = ""]) =>
      line.replaceAll("http://127.0.0.1:9000", url).replace("curl", "curl -fsS"),
    );
    await using folder = await createTempFolder();
    await writeFile(folder.at("cat.jpg"), "a cat");
    const env = { PATH: process.env.PATH, ASHLAR_API_KEY: apiKey };
    await promisify(execFile)("bash", ["-euc", calls.join("\n")], { cwd: folder.path, env });
    await using client = createClient(gateway({ url, apiKey }));
    expect(await client.bucket("photos").object("cat.jpg").text()).toBe("a cat");
  });

  test("store through the gateway and straight on the nodes, a quorum of copies of each chunk", async () => {
    const bytes = randomBytes(9 * MIB);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await using through = createClient(gateway({ url, apiKey }));
    await using straight = createClient(direct({ url, apiKey }));
    await through.createBucket({ bucket: "box" });
    const replicasOfPut = async (): Promise<number> => {
      const put = await through.putObject({ bucket: "box", key: "one", body: bytes });
      expect(put.sha256).toBe(sha256);
      return put.replicas;
    };
    // Two of three acknowledge the write; if the third is slow, its copy is repaired later. Nodes are healthy a moment before they register: a write
    // that comes sooner has fewer copies, which follow later.
    await expect.poll(replicasOfPut, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    expect((await through.cluster()).layouts[0]?.nodes).toHaveLength(6);
    const got = await straight.getObject({ bucket: "box", key: "one" });
    expect(
      createHash("sha256")
        .update(await got.bytes())
        .digest("hex"),
    ).toBe(sha256);
  });

  // Seats and transports have suites of their own. New here is the cluster, and direct clients use all of it.
  defineEndToEnd({ seats: ["direct"], transports: ["undici"] }, () => ({ url, apiKey }));

  test("stop in order on SIGTERM, and the health check says so", async () => {
    const all = [...cluster.services.values()].toReversed();
    expect(await Promise.all(all.map((each) => each.stop()))).toEqual(Array(7).fill(0));
    for (const each of all) {
      expect(each.stderr()).toContain('"stopped"');
      const health = service(each.name).exec(["node", "/opt/ashlar/healthcheck.mjs"]);
      await expect(health).rejects.toMatchObject({ code: 1, stdout: "nothing listens\n" });
    }
  });
});
