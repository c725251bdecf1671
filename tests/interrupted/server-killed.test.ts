import { randomBytes } from "node:crypto";
import { gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, MIB, type ObjectClient, type TransferProgress } from "@ashlar/sdk";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { createPostgresSchema, type PostgresSchema } from "../support/postgres-schema.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { digestOf, testStream } from "../support/test-bytes.ts";

const SIZE = 24 * MIB;
const CHUNK = 512 * KIB;

let folder: TempFolder;
let schema: PostgresSchema;
let env: Record<string, string>;
let apiKey: string;
/** In the place of a load balancer, so that another gateway can take over the address. */
let address: TcpProxy;
let running: ServerProcess;
const nodes: ServerProcess[] = [];

const startGateway = (): Promise<ServerProcess> => startServerProcess(["gateway", "--port", "0"], env);
/** A node comes back on its old port: until its heartbeats are missed, no other address gets its id. */
function startNode(index: number): Promise<ServerProcess> {
  const before = nodes[index - 1];
  const port = before === undefined ? "0" : new URL(before.url).port;
  return startServerProcess(
    ["node", "--server-id", `node-${index}`, "--data-dir", folder.at(`node-${index}`), "--port", port],
    { ...env, ASHLAR_DURABILITY: "os" },
  );
}
/** @param forMs how long it retries: by default long enough for a server that comes back, on a busy machine too. */
const open = (forMs: number = 10_000): ObjectClient =>
  createClient(gateway({ url: address.url, apiKey, durability: "os", chunker: fixed(CHUNK), retry: { forMs } }));
/** How long to retry where a server stays away. */
const BRIEF_MS = 1000;

beforeAll(async () => {
  folder = await createTempFolder();
  schema = await createPostgresSchema();
  env = { DATABASE_URL: schema.url, CLUSTER_KEY: randomBytes(32).toString("hex") };
  running = await startGateway();
  apiKey = String(running.ready.apiKey);
  nodes.push(...(await Promise.all([1, 2, 3].map(startNode))));
  address = await startTcpProxy(running.url);
  await using client = open();
  await client.createBucket({ bucket: "box" });
}, 60_000);

afterAll(async () => {
  await address?.close();
  await Promise.all([...nodes, running].map((server) => server?.kill()));
  await schema?.drop();
  await folder?.[Symbol.asyncDispose]();
}, 60_000);

/** Calls `act` once, when half of the bytes have moved. */
function halfWay(act: () => void): (progress: TransferProgress) => void {
  let done = false;
  return ({ transferredBytes }) => {
    if (done || transferredBytes < SIZE / 2) return;
    done = true;
    act();
  };
}

describe("a server that is killed in the middle of a transfer", { timeout: 150_000 }, () => {
  test("if a node: the upload succeeds with two copies, and the third is queued for repair", async () => {
    await using client = open();
    const ref = { bucket: "box", key: "node-killed" };
    let killing: Promise<void> | undefined;
    const put = await client.putObject({
      ...ref,
      body: testStream(SIZE, { seed: 1 }),
      onProgress: halfWay(() => {
        killing = nodes[1]!.kill();
      }),
    });
    await killing;
    expect(put).toMatchObject({ sizeBytes: SIZE, replicas: 2 });
    expect(await digestOf(await client.getObject(ref))).toEqual({ sizeBytes: SIZE, sha256: put.sha256 });
    // tests/storage restores the third copy. Here the database must know that it is missing.
    expect(await countRepairs()).toBeGreaterThan(0);
    nodes[1] = await startNode(2);
  });

  test("if a gateway: uploads and downloads go on with the next one at its address", async () => {
    await using client = open();
    const next = await startGateway();
    const ref = { bucket: "box", key: "gateway-killed" };
    const swap = (from: ServerProcess, to: ServerProcess): void => {
      address.redirect(to.url);
      void from.kill();
    };
    const put = await client.putObject({
      ...ref,
      body: testStream(SIZE, { seed: 2 }),
      onProgress: halfWay(() => swap(running, next)),
    });
    expect(put.sizeBytes).toBe(SIZE);
    const third = await startGateway();
    const onProgress = halfWay(() => swap(next, third));
    const got = await client.getObject({ ...ref, onProgress });
    expect(await digestOf(got)).toEqual({ sizeBytes: SIZE, sha256: put.sha256 });
    running = third;
  });

  test("if the only gateway: the upload fails with NODE_UNAVAILABLE, and nothing is visible", async () => {
    await using client = open();
    await using impatient = open(BRIEF_MS);
    const ref = { bucket: "box", key: "all-gone" };
    const upload = impatient.putObject({
      ...ref,
      body: testStream(SIZE, { seed: 3 }),
      onProgress: halfWay(() => void running.kill()),
    });
    await expectCode(upload, "NODE_UNAVAILABLE");
    running = await startGateway();
    address.redirect(running.url);
    await expectCode(client.headObject(ref), "OBJECT_NOT_FOUND");
    await client.putObject({ ...ref, body: "works again" });
  });

  test("if all nodes but one: the write quorum is missed, reads go on from the last copy", async () => {
    await using client = open();
    await using impatient = open(BRIEF_MS);
    const ref = { bucket: "box", key: "kept" };
    const { sha256, replicas } = await client.putObject({ ...ref, body: testStream(SIZE, { seed: 4 }) });
    // The gateway does not wait for a node that is a little late, and then ignores it for a while. Putting again may not reach it either: it still
    // has to write the bytes, and so is later than those that have them. The gateway's next repair brings what it missed, after 38 seconds at most.
    if (replicas < 3) await expect.poll(countRepairs, { timeout: 90_000, interval: 500 }).toBe(0);
    await Promise.all([nodes[0]!.kill(), nodes[1]!.kill()]);
    const large = { bucket: "box", key: "refused", timeoutMs: 30_000 };
    await expectCode(impatient.putObject({ ...large, body: testStream(SIZE, { seed: 5 }) }), "QUORUM_NOT_REACHED");
    expect(await digestOf(await client.getObject(ref))).toEqual({ sizeBytes: SIZE, sha256 });
    [nodes[0], nodes[1]] = await Promise.all([startNode(1), startNode(2)]);
  });
});

async function countRepairs(): Promise<number> {
  const client = new pg.Client({ connectionString: schema.url });
  await client.connect();
  try {
    const { rows } = await client.query<{ count: string }>("SELECT count(*) AS count FROM repair_queue");
    return Number(rows[0]?.count);
  } finally {
    await client.end();
  }
}
