/** Nodes that are frozen (SIGSTOP): they keep their connections and accept new ones, but no byte moves. */
import { randomBytes } from "node:crypto";
import { createClient, direct, fixed, gateway, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshDatabase } from "../support/fresh-database.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";
import { openTransport } from "../support/transports.ts";

const SEATS = { gateway, direct };
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };
/** Calls that hang take minutes; even a very busy machine needs less than this for one that ends. */
const HANG_MS = 180_000;
const SIZE = 8 * MIB;
/** Four chunks: each must have its third copy before two nodes freeze. */
const SMALL = MIB;

let folder: TempFolder;
let gatewayProcess: ServerProcess;
let apiKey: string;
const nodes: ServerProcess[] = [];

function clientOf(seat: keyof typeof SEATS): ObjectClient {
  const transport = openTransport("undici", NOBODY);
  const { url } = gatewayProcess;
  return createClient(SEATS[seat]({ url, apiKey, transport, durability: "os", chunker: fixed(256 * KIB) }));
}

async function bytesOf(client: ObjectClient, key: string): Promise<Uint8Array> {
  return await (await client.getObject({ bucket: "box", key })).bytes();
}

beforeAll(async () => {
  folder = await createTempFolder();
  const env = { DATABASE_URL: await freshDatabase("frozen_nodes"), CLUSTER_KEY: randomBytes(32).toString("hex") };
  gatewayProcess = await startServerProcess(["gateway", "--port", "0"], env);
  apiKey = String(gatewayProcess.ready.apiKey);
  for (const nodeId of ["node-1", "node-2", "node-3"])
    nodes.push(
      await startServerProcess(["node", "--server-id", nodeId, "--data-dir", folder.at(nodeId), "--port", "0"], {
        ...env,
        ASHLAR_DURABILITY: "os",
      }),
    );
  await using client = clientOf("gateway");
  await client.createBucket({ bucket: "box" });
}, HANG_MS);

afterEach(() => {
  for (const node of nodes) node.thaw();
});

afterAll(async () => {
  await Promise.all([...nodes, gatewayProcess].map((server) => server?.kill()));
  await folder?.[Symbol.asyncDispose]();
}, HANG_MS);

describe.each(["gateway", "direct"] as const)("in the seat %s", (seat) => {
  test("with two of three nodes frozen, reads use the third, and writes end with QUORUM_NOT_REACHED", {
    timeout: HANG_MS,
  }, async () => {
    await using client = clientOf(seat);
    const body = testBytes(SMALL, seat === "direct" ? 1 : 2);
    // On a busy machine a write may miss its third copy; writing the same again restores it.
    const write = async (): Promise<number> => (await client.putObject({ bucket: "box", key: seat, body })).replicas;
    await expect.poll(write, { timeout: HANG_MS }).toBe(3);
    nodes[0]?.freeze();
    nodes[1]?.freeze();
    expect(await bytesOf(client, seat)).toEqual(body);
    const put = client.putObject({
      bucket: "box",
      key: `${seat}-frozen`,
      body: testBytes(SIZE, seat === "direct" ? 3 : 6),
    });
    await expect(put).rejects.toMatchObject({ code: "QUORUM_NOT_REACHED", retryable: true });
    nodes[0]?.thaw();
    nodes[1]?.thaw();
    await client.putObject({ bucket: "box", key: `${seat}-thawed`, body });
    expect(await bytesOf(client, `${seat}-thawed`)).toEqual(body);
  });

  test("with one node frozen half way, an upload goes on with the others", { timeout: HANG_MS }, async () => {
    await using client = clientOf(seat);
    const body = testBytes(SIZE, seat === "direct" ? 4 : 5);
    const put = await client.putObject({
      ...{ bucket: "box", key: `${seat}-half`, body },
      onProgress: ({ transferredBytes }) => {
        if (transferredBytes > SIZE / 2) nodes[2]?.freeze();
      },
    });
    expect(put.replicas).toBe(2);
    expect(await bytesOf(client, `${seat}-half`)).toEqual(body);
  });
});
