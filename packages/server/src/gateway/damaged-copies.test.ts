/** A cluster with three copies of each chunk, one of which is damaged or lost: what readers get, who is told, and that the copy is made again. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import type { ChunkStore, Logger, MetadataStore } from "@ashlar/sdk/ports";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createMetrics } from "../observability/index.ts";
import type { GatewayOptions } from "./create-gateway.ts";
import { type DirectClient, directClient } from "./testing/direct-client.ts";
import { startTestCluster, type TestCluster } from "./testing/start-test-cluster.ts";

const BUCKET = "box";
const NODE_IDS = ["node-1", "node-2", "node-3"];
const SIZE = 300 * KIB;
const BLOCK_BYTES = 64 * KIB;
/** Enough for a busy machine; only a failure takes as long. */
const TIMEOUT_MS = 60_000;

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

let folder: string;
let metadata: MetadataStore;
let cluster: TestCluster;
let signed: DirectClient;
let lines: Line[];
let gatewayMetrics: ReturnType<typeof createMetrics>;
let nodeMetrics: Map<string, ReturnType<typeof createMetrics>>;
/** What a test must close. */
let clients: ObjectClient[];

function keeping(into: Line[]): Logger {
  const at = (level: string) => (fields: object, message: string) => {
    into.push({ level, message, fields: fields as Line["fields"] });
  };
  const logger: Logger = {
    ...{ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    child: () => logger,
  };
  return logger;
}

async function start(options: Partial<GatewayOptions> = {}): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), "ashlar-damaged-"));
  lines = [];
  clients = [];
  gatewayMetrics = createMetrics();
  nodeMetrics = new Map(NODE_IDS.map((nodeId) => [nodeId, createMetrics()]));
  const stores = new Map<string, ChunkStore>();
  for (const nodeId of NODE_IDS) {
    stores.set(nodeId, await openFsChunkStore({ path: join(folder, nodeId), durability: "os" }));
  }
  metadata = createMemoryMetadataStore({ replicationFactor: 3 });
  cluster = await startTestCluster(
    {
      metadata,
      hasher: nodeCryptoHasher,
      transport: undiciTransport(),
      nodeCount: NODE_IDS.length,
      openStore: (nodeId) => stores.get(nodeId)!,
      nodeOptions: (nodeId) => ({ metrics: nodeMetrics.get(nodeId)!, diskReserveBytes: 0 }),
    },
    { metrics: gatewayMetrics, logger: keeping(lines), ...options },
  );
  signed = directClient(cluster);
}

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.close();
  await Promise.all([...cluster.stores.values()].map((store) => store.close()));
  await metadata.close();
  await rm(folder, { recursive: true });
});

function open(seat: typeof gateway | typeof direct): ObjectClient {
  const { url, keys } = cluster;
  const client = createClient(seat({ url, apiKey: keys.readwrite, transport: httpTransport() }));
  clients.push(client);
  return client;
}

interface Stored {
  readonly bytes: Buffer;
  readonly chunkId: Digest;
}

/** An object of one chunk, with all of its copies. */
async function put(key: string, sizeBytes = SIZE): Promise<Stored> {
  const bytes = randomBytes(sizeBytes);
  const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
  const app = open(gateway);
  await app.createBucket({ bucket: BUCKET }).catch(() => {});
  await app.putObject({ bucket: BUCKET, key, body: new Uint8Array(bytes), chunker: fixed(sizeBytes) });
  // On a busy machine a put may leave a copy out.
  for (const store of cluster.stores.values()) await store.putChunk(chunkId, bytes);
  for (const { nodeId } of await metadata.countRepairs()) {
    const { leaseToken, entries } = await metadata.claimRepairs({ nodeId, limit: 100, leaseMs: 60_000 });
    await metadata.finishRepairs({ leaseToken, outcomes: entries.map(({ repairId }) => ({ repairId })) });
  }
  return { bytes, chunkId };
}

async function fileOf(nodeId: string, chunkId: Digest): Promise<string> {
  const chunks = join(folder, nodeId, "chunks");
  const names = await readdir(chunks, { recursive: true });
  return join(chunks, names.find((name) => name.endsWith(encodeHex(chunkId)))!);
}

async function flip(file: string, position: number): Promise<Buffer> {
  const bytes = await readFile(file);
  bytes[position]! ^= 1;
  await writeFile(file, bytes);
  return bytes;
}

type Damage = (nodeId: string, chunkId: Digest) => Promise<void>;

/** What a node's own checks find. */
const SEEN_BY_NODE: Readonly<Record<string, Damage>> = {
  async "has a flipped byte in its file"(nodeId, chunkId) {
    await flip(await fileOf(nodeId, chunkId), 1000);
  },
  async "has a file that was cut"(nodeId, chunkId) {
    await truncate(await fileOf(nodeId, chunkId), 500);
  },
};

/** Wrong bytes whose checksums are right: only their digest tells. */
async function forge(nodeId: string, chunkId: Digest, position = 1000): Promise<void> {
  const file = await fileOf(nodeId, chunkId);
  const bytes = await flip(file, position);
  const footer = bytes.subarray(bytes.length - 64);
  const payloadBytes = Number(footer.readBigUInt64LE(16));
  const checksums = bytes.subarray(payloadBytes, bytes.length - 64);
  for (let offset = 0, index = 0; offset < payloadBytes; offset += BLOCK_BYTES, index++) {
    const block = bytes.subarray(offset, Math.min(payloadBytes, offset + BLOCK_BYTES));
    checksums.writeUInt32LE(crc32(block), index * 4);
  }
  footer.writeUInt32LE(crc32(checksums), 56);
  footer.writeUInt32LE(crc32(footer.subarray(0, 60)), 60);
  await writeFile(file, bytes);
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  ...SEEN_BY_NODE,
  "has wrong bytes with right checksums": (nodeId, chunkId) => forge(nodeId, chunkId),
};

interface Part {
  readonly offset: number;
  readonly length: number;
}

type Reader = (stored: Stored, part?: Part) => Promise<Buffer>;

const grantFor = async (chunkId: Digest): Promise<string> => await cluster.keeper.issueRead({ chunkId });

async function fetchBytes(path: string, token: string, part: Part | undefined): Promise<Buffer> {
  const range = part && { range: `bytes=${part.offset}-${part.offset + part.length - 1}` };
  const answer = await fetch(`${cluster.url}${path}`, { headers: { authorization: `Bearer ${token}`, ...range } });
  expect(answer.status).toBe(part === undefined ? 200 : 206);
  return Buffer.from(await answer.arrayBuffer());
}

const CHUNK_READERS: Readonly<Record<string, Reader>> = {
  async "the chunk API over RPC"({ chunkId }, { offset = 0, length = 0 } = { offset: 0, length: 0 }) {
    const range = { offset: BigInt(offset), length: BigInt(length) };
    const frames: Uint8Array[] = [];
    const chunks = signed.chunks("gateway", await grantFor(chunkId));
    for await (const { frame } of chunks.getChunk({ chunkId, ...range })) frames.push(frame);
    return Buffer.concat(frames);
  },
  "the chunk API over plain HTTP": async ({ chunkId }, part) =>
    await fetchBytes(`/chunks/${encodeHex(chunkId)}`, await grantFor(chunkId), part),
};

const bytesIn = async (client: ObjectClient, range: Part | undefined): Promise<Buffer> =>
  Buffer.from(await (await client.getObject({ bucket: BUCKET, key: "k", range })).bytes());

const OBJECT_READERS: Readonly<Record<string, Reader>> = {
  async "the object API over RPC"(_, part) {
    const range = part && { offset: BigInt(part.offset), length: BigInt(part.length) };
    const frames: Uint8Array[] = [];
    const objects = signed.objects(cluster.keys.readonly);
    for await (const { payload } of objects.getObject({ bucket: BUCKET, key: "k", ...range })) {
      if (payload.case === "frame") frames.push(payload.value);
    }
    return Buffer.concat(frames);
  },
  "the object API over plain HTTP": async (_, part) =>
    await fetchBytes(`/objects/${BUCKET}/k`, cluster.keys.readonly, part),
  "the gateway seat": async (_, part) => await bytesIn(open(gateway), part),
  "the direct seat": async (_, part) => await bytesIn(open(direct), part),
};

const READERS = { ...CHUNK_READERS, ...OBJECT_READERS };

/** The node that readers ask first. */
const firstOf = async (chunkId: Digest): Promise<string> => (await signed.nodesOf(chunkId))[0]!;

async function figure(metrics: ReturnType<typeof createMetrics>, name: string): Promise<number> {
  const { text } = await metrics.render();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.split(" ")[1]);
}

const repairs = async (): Promise<string[]> =>
  (await metadata.listRepairs({ limit: 100 })).map(({ chunkId, nodeId }) => `${nodeId} ${encodeHex(chunkId)}`);

for (const [what, damage] of Object.entries(DAMAGES)) {
  describe(`a node that ${what}`, { timeout: TIMEOUT_MS }, () => {
    it.each(Object.keys(READERS))("costs a reader of %s nothing", async (reader) => {
      await start();
      const stored = await put("k");
      await damage(await firstOf(stored.chunkId), stored.chunkId);
      const read = await READERS[reader]!(stored);
      expect(read.equals(stored.bytes)).toBe(true);
    });
  });
}

for (const [what, damage] of Object.entries(SEEN_BY_NODE)) {
  it.each(Object.keys(READERS))(
    `a node that ${what} costs a reader of a range from %s nothing`,
    async (reader) => {
      await start();
      const stored = await put("k");
      await damage(await firstOf(stored.chunkId), stored.chunkId);
      const read = await READERS[reader]!(stored, { offset: 900, length: 70_000 });
      expect(read.equals(stored.bytes.subarray(900, 70_900))).toBe(true);
    },
    TIMEOUT_MS,
  );
}

it.each(Object.keys(CHUNK_READERS))(
  "no wrong byte of a large chunk is handed on by %s",
  async (reader) => {
    await start();
    const stored = await put("k", 9 * MIB);
    await forge(await firstOf(stored.chunkId), stored.chunkId, 8 * MIB);
    const read = await CHUNK_READERS[reader]!(stored);
    expect(read.equals(stored.bytes)).toBe(true);
  },
  TIMEOUT_MS,
);

describe("a damaged copy", { timeout: TIMEOUT_MS }, () => {
  it.each(
    Object.keys(DAMAGES).flatMap((what) =>
      ["the chunk API over plain HTTP", "the object API over RPC"].map((reader) => [what, reader] as const),
    ),
  )("on a node that %s is logged, counted and queued for repair by a reader of %s", async (what, reader) => {
    await start();
    const stored = await put("k");
    const nodeId = await firstOf(stored.chunkId);
    expect(await figure(gatewayMetrics, "ashlar_chunks_damaged_total")).toBe(0);
    await DAMAGES[what]!(nodeId, stored.chunkId);
    const chunkId = encodeHex(stored.chunkId);
    // A slow answer makes a reader ask the next node as well, and then it may not hear of the damage.
    await vi.waitFor(
      async () => {
        await READERS[reader]!(stored);
        expect(await repairs()).toEqual([`${nodeId} ${chunkId}`]);
      },
      { timeout: TIMEOUT_MS / 2 },
    );
    // The chunk API knows no object.
    const object = reader in OBJECT_READERS ? { bucket: BUCKET, key: "k" } : {};
    const told = lines.find(({ message }) => message === "replica is corrupt");
    expect(told).toMatchObject({ level: "error", fields: { nodeId, chunkId, ...object, problem: expect.any(String) } });
    expect(await figure(gatewayMetrics, "ashlar_chunks_damaged_total")).toBeGreaterThan(0);
  });

  it.each(Object.keys(READERS))(
    "far from the start of a chunk costs a reader of %s nothing, though its node has begun to answer",
    async (reader) => {
      await start();
      const stored = await put("k", 3 * MIB);
      const nodeId = await firstOf(stored.chunkId);
      await flip(await fileOf(nodeId, stored.chunkId), 2.5 * MIB);
      const read = await READERS[reader]!(stored);
      expect(read.equals(stored.bytes)).toBe(true);
    },
  );

  it("far from the start of a chunk is queued for repair when its node says that it has put it aside", async () => {
    await start();
    const stored = await put("k", 3 * MIB);
    const nodeId = await firstOf(stored.chunkId);
    await flip(await fileOf(nodeId, stored.chunkId), 2.5 * MIB);
    // The node cuts its first answer, so for some seconds it is asked last.
    await vi.waitFor(
      async () => {
        const read = await OBJECT_READERS["the object API over plain HTTP"]!(stored);
        expect(read.equals(stored.bytes)).toBe(true);
        expect(await repairs()).toEqual([`${nodeId} ${encodeHex(stored.chunkId)}`]);
      },
      { timeout: TIMEOUT_MS / 2, interval: 500 },
    );
  });

  it.each(Object.keys(SEEN_BY_NODE))(
    "on a node that %s is counted by the node, also if a write finds it",
    async (what) => {
      await start();
      const { chunkId, bytes } = await put("k");
      const [nodeId = ""] = NODE_IDS;
      const counted = async (): Promise<number> => {
        await fetch(`${cluster.nodeUrls.get(nodeId)}/readyz`);
        return await figure(nodeMetrics.get(nodeId)!, "ashlar_chunks_damaged_total");
      };
      expect(await counted()).toBe(0);
      await SEEN_BY_NODE[what]!(nodeId, chunkId);
      await open(gateway).putObject({
        bucket: BUCKET,
        key: "again",
        body: new Uint8Array(bytes),
        chunker: fixed(SIZE),
      });
      // A put does not wait for a node that is late.
      await cluster.stores.get(nodeId)!.putChunk(chunkId, bytes);
      expect(await counted()).toBe(1);
      expect(await counted()).toBe(1);
    },
  );

  it.each(Object.keys(DAMAGES))(
    "on a node that %s is put aside, replaced by maintenance, and never served again",
    async (what) => {
      await start({ maintenance: { repairIntervalMs: 50 } });
      const stored = await put("k");
      const nodeId = await firstOf(stored.chunkId);
      await DAMAGES[what]!(nodeId, stored.chunkId);
      const damaged = await readFile(await fileOf(nodeId, stored.chunkId));
      const node = signed.chunks(nodeId, await grantFor(stored.chunkId));
      await vi.waitFor(
        async () => {
          const read = await CHUNK_READERS["the chunk API over plain HTTP"]!(stored);
          expect(read.equals(stored.bytes)).toBe(true);
          expect(await readdir(join(folder, nodeId, "quarantine")).catch(() => [])).toHaveLength(1);
          const frames: Uint8Array[] = [];
          for await (const { frame } of node.getChunk({ chunkId: stored.chunkId })) frames.push(frame);
          expect(Buffer.concat(frames).equals(stored.bytes)).toBe(true);
          expect(await repairs()).toEqual([]);
        },
        { timeout: TIMEOUT_MS / 2 },
      );
      const [aside = ""] = await readdir(join(folder, nodeId, "quarantine"));
      expect((await readFile(join(folder, nodeId, "quarantine", aside))).equals(damaged)).toBe(true);
    },
  );
});

describe("a copy that is gone", { timeout: TIMEOUT_MS }, () => {
  it("is queued for repair, and made again", async () => {
    await start({ maintenance: { repairIntervalMs: 50 } });
    const stored = await put("k");
    const nodeId = await firstOf(stored.chunkId);
    await rm(await fileOf(nodeId, stored.chunkId));
    await vi.waitFor(
      async () => {
        expect((await READERS["the object API over plain HTTP"]!(stored)).equals(stored.bytes)).toBe(true);
        expect(await readFile(await fileOf(nodeId, stored.chunkId))).toBeInstanceOf(Buffer);
        expect(await repairs()).toEqual([]);
      },
      { timeout: TIMEOUT_MS / 2 },
    );
    expect(await figure(gatewayMetrics, "ashlar_chunks_damaged_total")).toBe(0);
  });

  it.each(["missing", "damaged"])("everywhere (%s): the error names the object, for every reader", async (fault) => {
    await start();
    const { chunkId } = await put("k");
    const wreck = async (): Promise<void> => {
      for (const nodeId of NODE_IDS) {
        const file = await fileOf(nodeId, chunkId);
        if (fault === "missing") await rm(file);
        else await forge(nodeId, chunkId);
      }
    };
    await wreck();
    const code = fault === "missing" ? "CHUNK_MISSING" : "CHUNK_CORRUPT";
    const details = { bucket: BUCKET, key: "k" };
    for (const client of [open(gateway), open(direct)]) {
      await expect(bytesIn(client, undefined)).rejects.toMatchObject({
        ...{ code, details },
        message: expect.stringContaining(`${BUCKET}/k cannot be read`),
      });
    }
    const answer = await fetch(`${cluster.url}/objects/${BUCKET}/k`, {
      headers: { authorization: `Bearer ${cluster.keys.readonly}` },
    });
    expect(await answer.json()).toMatchObject({ code, detail: expect.stringContaining(`${BUCKET}/k cannot be read`) });
    // The chunk API knows from the chunk's row that it is not just unknown: that would be 404, which raises no alarm.
    const path = `${cluster.url}/chunks/${encodeHex(chunkId)}`;
    const missing = await fetch(path, { headers: { authorization: `Bearer ${await grantFor(chunkId)}` } });
    expect([missing.status, missing.headers.get("ashlar-error-code")]).toEqual([500, code]);
    expect(await figure(gatewayMetrics, `ashlar_http_failures_total{code="${code}"}`)).toBeGreaterThan(0);
    const told = lines.find(({ message }) => message === "an object cannot be read");
    expect(told).toMatchObject({ level: "error", fields: details });
  });
});
