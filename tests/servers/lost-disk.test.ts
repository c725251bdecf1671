import { randomBytes } from "node:crypto";
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, jsonLines } from "../support/cli.ts";
import { freePort } from "../support/free-ports.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

const TEST_MS = 180_000;
const POLL = { timeout: 60_000, interval: 200 };
const CHUNKS = 8;

interface ShownNode {
  readonly nodeId: string;
  readonly chunkCount?: number;
  readonly lostDisk?: { readonly kind: string; readonly chunkCount: number };
}

let folder: TempFolder;
let key: Record<string, string>;
let access: Record<string, string>;
let gateway: ServerProcess;
let ports: readonly number[];
const nodes = new Map<string, ServerProcess>();

const dataOf = (nodeId: string): string => join(folder.path, nodeId);

function argsOf(nodeId: string): string[] {
  const own = ["--server-id", nodeId, "--data-dir", dataOf(nodeId), "--port", String(ports[Number(nodeId.at(-1)) - 1])];
  return ["node", ...own, "--gateway", gateway.url, "--heartbeat-interval", "300"];
}

async function start(nodeId: string): Promise<void> {
  nodes.set(nodeId, await startServerProcess(argsOf(nodeId), key));
}

async function ring(nodeId: string): Promise<ShownNode> {
  const { stdout } = await cli(["ring", "--json"], { env: access });
  const [shown] = jsonLines<{ readonly nodes: readonly ShownNode[] }>(stdout);
  return shown!.nodes.find((node) => node.nodeId === nodeId)!;
}

beforeAll(async () => {
  folder = await createTempFolder();
  ports = [await freePort(), await freePort(), await freePort()];
  key = { CLUSTER_KEY: randomBytes(32).toString("hex"), ASHLAR_DURABILITY: "os" };
  gateway = await startServerProcess(["gateway", "--port", "0", "--path", join(folder.path, "metadata")], key);
  access = { ASHLAR_GATEWAY: gateway.url, ASHLAR_API_KEY: String(gateway.ready.apiKey) };
  await Promise.all(["n1", "n2", "n3"].map(start));
  const put = ["put", "-", "box/key", "--create-bucket", "--chunk-bytes", "64KiB"];
  expect((await cli(put, { env: access, input: testBytes(CHUNKS * 65_536, 1) })).exitCode).toBe(0);
}, TEST_MS);

afterAll(async () => {
  await Promise.all([...nodes.values(), gateway].map((server) => server?.kill()));
  await folder?.remove();
}, TEST_MS);

describe("a node process over a folder that is not its own any more", { timeout: TEST_MS }, () => {
  test("does not start with --refuse-lost-disk, which says what to do; without it, health and ring show the loss", async () => {
    await expect.poll(async () => (await ring("n3")).chunkCount, POLL).toBe(CHUNKS);
    await nodes.get("n3")!.kill();
    renameSync(dataOf("n3"), `${dataOf("n3")}-away`);
    const refused = await cli([...argsOf("n3"), "--refuse-lost-disk"], { env: key });
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toMatch(/the node n3 lost its disk: .*8 chunks.*Mount the right disk, or start/);
    expect((await ring("n3")).lostDisk).toBeUndefined();

    // While the others are away, nothing can be restored: the loss stays to be seen.
    await Promise.all(["n1", "n2"].map((nodeId) => nodes.get(nodeId)?.kill()));
    await start("n3");
    expect(nodes.get("n3")!.log()).toMatch(/this node lost its disk: it runs over a new folder without chunks/);
    expect((await ring("n3")).lostDisk).toMatchObject({ kind: "replaced", chunkCount: CHUNKS });
    expect((await cli(["ring"], { env: access })).stdout).toMatch(/n3 lost its disk on \d{4}-\d\d-\d\d/);
    const health = await cli(["health"], { env: access });
    expect(health.stdout).toMatch(
      /warning +n3 lost its disk on \d{4}-\d\d-\d\d .*before, it held 8 chunks, 512 KiB\n +why: .*\n +do: /,
    );
  });

  test("the right folder starts with --refuse-lost-disk, and so does a copy of it", async () => {
    for (const nodeId of ["n1", "n2"]) {
      await nodes.get(nodeId)?.kill();
      renameSync(dataOf(nodeId), `${dataOf(nodeId)}-away`);
      cpSync(`${dataOf(nodeId)}-away`, dataOf(nodeId), { recursive: true });
      nodes.set(nodeId, await startServerProcess([...argsOf(nodeId), "--refuse-lost-disk"], key));
      expect((await ring(nodeId)).lostDisk).toBeUndefined();
    }
  });

  test("the earlier folder of the node is another folder, and refused too", async () => {
    await nodes.get("n3")!.kill();
    rmSync(dataOf("n3"), { recursive: true });
    renameSync(`${dataOf("n3")}-away`, dataOf("n3"));
    const refused = await cli([...argsOf("n3"), "--refuse-lost-disk"], { env: key });
    expect(refused.stderr).toMatch(
      /the node n3 lost its disk: it runs over another folder than before \(a wrong mount.*\), and /,
    );
    await start("n3");
    expect((await ring("n3")).lostDisk).toMatchObject({ kind: "other" });
  });
});
