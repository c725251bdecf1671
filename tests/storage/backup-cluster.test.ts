import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, type ObjectClient } from "@ashlar/sdk";
import { type Digest, sha256Sync } from "@ashlar/sdk/hash";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli, cliJson, jsonLines } from "../support/cli.ts";
import { createPostgresSchema, type PostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";
import { CLUSTER_KEY, startTestCluster, type TestCluster, type TestNode } from "../support/test-cluster.ts";

const CHUNK = 64 * 1024;

interface Finding {
  readonly level: string;
  readonly what: string;
}

let folder: TempFolder;
let schema: PostgresSchema;
let cluster: TestCluster;
let client: ObjectClient;
let closers: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await createTempFolder();
  schema = await createPostgresSchema();
  const metadata = await openPostgresMetadataStore({ pool: () => new pg.Pool({ connectionString: schema.url }) });
  cluster = await startTestCluster({ metadata });
  closers = [() => cluster.close(), () => metadata.close(), () => schema.drop(), () => folder.remove()];
  client = createClient(gateway({ url: cluster.url, apiKey: cluster.apiKey, transport: undiciTransport() }));
  await client.createBucket({ bucket: "photos" });
});

afterEach(async () => {
  await client.close();
  for (const close of closers) await close();
});

/** Puts, and gives every node what it missed on a busy machine. */
async function put(key: string, seed: number): Promise<void> {
  await client.putObject({
    ...{ bucket: "photos", key, body: testBytes(5 * CHUNK, seed), chunker: fixed(CHUNK) },
    ...{ contentType: "image/x", metadata: { seed: `${seed}` } },
  });
  await cluster.repair();
}

/** The second of the five chunks. */
const chunkOf = (seed: number): Digest => sha256Sync(testBytes(CHUNK, seed, CHUNK));

function fileOf(node: TestNode, chunkId: Digest): string {
  const id = Buffer.from(chunkId).toString("hex");
  return join(node.path ?? "", "chunks", id.slice(0, 2), id.slice(2, 4), id);
}

async function flip(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 100);
    await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, 100);
  } finally {
    await handle.close();
  }
}

const seats = {
  gateway: (of: TestCluster) => ["--gateway", of.url, "--api-key", of.apiKey],
  direct: (of: TestCluster) => ["--direct", of.url, "--api-key", of.apiKey],
} as const;

test.each(["gateway", "direct"] as const)(
  "a cluster is backed up and restored through the seat %s",
  async (seat) => {
    for (const [index, key] of ["a", "b/ü", "c"].entries()) await put(key, index + 1);
    await client.putObject({ bucket: "photos", key: "inline", body: "hello" });
    const backups = folder.at("backups");
    const [made] = await cliJson<object>(["backup", backups, ...seats[seat](cluster)]);
    expect(made).toMatchObject({ objects: 4, chunksWritten: 16, isOneMoment: true });
    const [again] = await cliJson<object>(["backup", backups, ...seats[seat](cluster)]);
    expect(again).toMatchObject({ objects: 4, chunksWritten: 0, objectsUnchanged: 4 });

    const other = await startTestCluster({ chunks: "memory" });
    try {
      const [did] = await cliJson<object>(["restore", backups, ...seats[seat](other)]);
      expect(did).toMatchObject({ objectsRestored: 4, etagsChanged: 0, damaged: { count: 0 } });
      await using restored = createClient(
        direct({ url: other.url, apiKey: other.apiKey, transport: undiciTransport() }),
      );
      for (const [index, key] of ["a", "b/ü", "c"].entries()) {
        const object = await restored.getObject({ bucket: "photos", key });
        const source = await client.headObject({ bucket: "photos", key });
        expect(object).toMatchObject({ contentType: "image/x", metadata: { seed: `${index + 1}` }, etag: source.etag });
        expect(object.sha256).toBe(source.sha256);
        expect(sha256Hex(await object.bytes())).toBe(source.sha256);
      }
      const [twice] = await cliJson<object>(["restore", backups, ...seats[seat](other)]);
      expect(twice).toMatchObject({ objectsRestored: 0, objectsPresent: 4 });
    } finally {
      await other.close();
    }
  },
  60_000,
);

test("a damaged copy is not backed up: another one is read; without a good one the object is named", async () => {
  await put("one", 1);
  await put("two", 2);
  for (const node of cluster.nodes.slice(0, 2)) await flip(fileOf(node, chunkOf(1)));
  for (const node of cluster.nodes) await flip(fileOf(node, chunkOf(2)));
  const backups = folder.at("backups");
  const { exitCode, stdout } = await cli(["backup", backups, ...seats.gateway(cluster), "--json"]);
  expect(exitCode).toBe(7);
  expect(jsonLines<object>(stdout)[0]).toMatchObject({
    ...{ objects: 1, unreadable: 1, problems: [{ bucket: "photos", key: "two" }] },
  });
  expect((await cli(["backup", "verify", backups])).exitCode).toBe(0);
  await cliJson(["restore", backups, "--path", folder.at("restored")]);
  const got = await cli(["get", "photos/one", "-", "--path", folder.at("restored")]);
  expect(sha256Hex(got.stdoutBytes)).toBe(sha256Hex(testBytes(5 * CHUNK, 1)));
}, 60_000);

async function fsck(...args: readonly string[]): Promise<{ readonly exitCode: number; readonly findings: Finding[] }> {
  const env = { DATABASE_URL: schema.url, CLUSTER_KEY };
  const { exitCode, stdout } = await cli(["fsck", "--chunks", ...args, "--json"], { env });
  return { exitCode, findings: jsonLines<Finding>(stdout) };
}

const whatOf = (findings: readonly Finding[], level: string): readonly string[] =>
  findings.filter((finding) => finding.level === level).map(({ what }) => what);

test("fsck --chunks reads every copy on every node, names what is hurt, and queues repairs only when asked", async () => {
  for (const seed of [1, 2, 3, 4]) await put(`o${seed}`, seed);
  const whole = await fsck();
  expect(whole.findings.filter(({ level }) => level === "broken" || level === "warning")).toEqual([]);
  expect(whatOf(whole.findings, "ok").at(-1)).toMatch(/^read 20 chunks, 60 copies, /);
  expect(whole.exitCode).toBe(0);

  const [n1, n2, n3] = cluster.nodes as readonly [TestNode, TestNode, TestNode];
  // A missing copy, a damaged one, a chunk with one good copy, and one with none.
  await rm(fileOf(n1, chunkOf(1)));
  await flip(fileOf(n2, chunkOf(2)));
  for (const node of [n1, n2]) await flip(fileOf(node, chunkOf(3)));
  await rm(fileOf(n1, chunkOf(4)));
  for (const node of [n2, n3]) await flip(fileOf(node, chunkOf(4)));
  const orphan = testBytes(1000, 99);
  await n3.store.putChunk(sha256Sync(orphan), orphan);

  const hurt = await fsck();
  expect(hurt.exitCode).toBe(7);
  expect(whatOf(hurt.findings, "broken")).toEqual([
    "2 copies missing, 5 damaged (node-1: 3, node-2: 3, node-3: 1)",
    expect.stringMatching(/^photos\/o4: lost: no good copy was found of 1 of its chunks, the first [0-9a-f]{64}$/),
  ]);
  expect(whatOf(hurt.findings, "warning")).toEqual([
    expect.stringMatching(/^photos\/o3: at risk: one good copy was found of 1 of its chunks/),
  ]);
  expect(whatOf(hurt.findings, "note")).toContain("1 file of chunks, 1000 B, that no row knows");
  // Damaged files are put aside when they are read, and nothing else is deleted or queued.
  expect(await cluster.metadata.countRepairs()).toEqual([]);
  expect(await n3.store.hasChunks([sha256Sync(orphan)], { claim: false })).toEqual([{ sizeBytes: 1000 }]);
  for (const node of [n2, n3]) expect(await readdir(join(node.path ?? "", "quarantine"))).not.toEqual([]);

  const queued = await fsck("--repair");
  expect(queued.exitCode).toBe(7);
  expect(whatOf(queued.findings, "note")).toContain("7 copies queued for repair");
  const waiting = await cluster.metadata.countRepairs();
  expect(Object.fromEntries(waiting.map(({ nodeId, count }) => [nodeId, count]))).toEqual({
    ...{ "node-1": 3, "node-2": 3, "node-3": 1 },
  });
  // Asked again, it queues nothing twice.
  expect(whatOf((await fsck("--repair")).findings, "note")).toContain("0 copies queued for repair");

  // Nothing can restore what has no good copy; the same content put again does. Then repair restores the rest.
  await put("o4", 4);
  const mended = await fsck();
  expect(mended.findings.filter(({ level }) => level === "broken" || level === "warning")).toEqual([]);
  expect(mended.exitCode).toBe(0);
}, 120_000);

test("fsck --chunks says which nodes did not answer, and calls nothing lost that they may have", async () => {
  await put("one", 1);
  const [n1, n2, n3] = cluster.nodes as readonly [TestNode, TestNode, TestNode];
  await n1.stop();
  for (const node of [n2, n3]) await flip(fileOf(node, chunkOf(1)));
  const { exitCode, findings } = await fsck();
  expect(exitCode).toBe(7);
  expect(whatOf(findings, "broken")).toContainEqual(
    expect.stringMatching(/^photos\/one: unreachable: no good copy was found on the nodes that answer/),
  );
  expect(whatOf(findings, "warning")).toContain("5 copies not read: node-1 did not answer");
  await n1.start();
}, 60_000);

test("fsck --chunks misses nothing on a node that has just joined: copies are where the layout of their rows places them", async () => {
  for (const seed of [1, 2, 3, 4]) await put(`o${seed}`, seed);
  await cluster.addNode();
  await put("new", 5);
  const { exitCode, findings } = await fsck();
  expect(findings.filter(({ level }) => level === "broken" || level === "warning")).toEqual([]);
  expect(exitCode).toBe(0);
  expect(whatOf(findings, "ok").at(-1)).toMatch(/^read 25 chunks, 75 copies, /);
}, 60_000);

test("fsck --chunks does not say that all is well where copies were not read", async () => {
  await put("one", 1);
  const [n1] = cluster.nodes as readonly [TestNode];
  await n1.stop();
  const { exitCode, findings } = await fsck();
  expect(exitCode).toBe(5);
  expect(whatOf(findings, "broken")).toEqual([]);
  expect(whatOf(findings, "warning")).toContain("5 copies not read: node-1 did not answer");
  await n1.start();
  expect((await fsck()).exitCode).toBe(0);
}, 60_000);

test("fsck --chunks with another cluster key asks no node, and says so", async () => {
  await put("one", 1);
  const env = { DATABASE_URL: schema.url, CLUSTER_KEY: `not ${CLUSTER_KEY}` };
  const { exitCode, stdout } = await cli(["fsck", "--chunks", "--json"], { env });
  const findings = jsonLines<Finding>(stdout);
  expect(exitCode).toBe(7);
  expect(whatOf(findings, "warning").join()).toMatch(/15 copies not read: node-1, node-2, node-3 did not answer/);
}, 60_000);

test("fsck --chunks over the folder of a node names the files that are not what their names say", async () => {
  await put("one", 1);
  const [node] = cluster.nodes as readonly [TestNode];
  const path = node.path ?? "";
  expect((await cli(["fsck", "--chunks", "--path", path])).exitCode).toBe(0);
  await flip(fileOf(node, chunkOf(1)));
  const { exitCode, stdout } = await cli(["fsck", "--chunks", "--path", path]);
  expect(exitCode).toBe(7);
  expect(stdout).toContain(`chunk ${Buffer.from(chunkOf(1)).toString("hex")} was damaged, and is put aside`);
}, 60_000);
