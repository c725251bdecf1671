/** What is read from the disk for ten bytes of an object: the blocks that they touch and the chunk's trailer, in every seat. */
import { randomBytes } from "node:crypto";
import * as nodeFs from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, MIB, type ObjectClient } from "@ashlar/sdk";
import { createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { decodeDigestHex, encodeHex } from "@ashlar/sdk/hash";
import { type ChunkStore, silentLogger, systemClock, systemRandom, type Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestCluster, type TestCluster } from "./testing/start-test-cluster.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

const CHUNK = 4 * MIB;
const BLOCK = 65_536;
/** A checksum for each block, and the footer. */
const TRAILER = (CHUNK / BLOCK) * 4 + 64;
const body = randomBytes(2 * CHUNK);

/** Ranges of ten bytes, and the blocks that they touch: within one, over a border of two, and over the border of two chunks. */
const RANGES = [
  [5 * BLOCK + 100, BLOCK + TRAILER],
  [9 * BLOCK - 5, 2 * BLOCK + TRAILER],
  [CHUNK - 5, 2 * (BLOCK + TRAILER)],
] as const;

let folder: string;
let bytesRead = 0;
let store: ChunkStore;
let cluster: TestCluster;
let single: TestGateway;

/** A store in a folder of its own whose reads from files are counted. */
async function countedStore(): Promise<ChunkStore> {
  const open: typeof nodeFs.open = async (...args) => {
    const handle = await nodeFs.open(...args);
    const read = handle.read.bind(handle);
    handle.read = (async (...given: Parameters<typeof read>) => {
      const result = await read(...given);
      bytesRead += result.bytesRead;
      return result;
    }) as typeof handle.read;
    return handle;
  };
  const path = await mkdtemp(join(folder, "store-"));
  return await openFsChunkStore({ path, durability: "os", fileSystem: { ...nodeFs, open } });
}

async function put(url: string, apiKey: string): Promise<void> {
  const app = createClient(gateway({ url, apiKey, transport: undiciTransport() }));
  await app.createBucket({ bucket: "box" });
  await app.putObject({ bucket: "box", key: "k", body, chunker: fixed(CHUNK) });
  await app.close();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-ranges-"));
  store = await countedStore();
  const transport = undiciTransport();
  const metadata = createMemoryMetadataStore({ replicationFactor: 1 });
  const parts = { metadata, hasher: nodeCryptoHasher, transport, nodeCount: 1, openStore: () => store };
  cluster = await startTestCluster(parts);
  await put(cluster.url, cluster.keys.readwrite);
  const topology = singleStoreTopology(await countedStore());
  single = await startTestGateway({
    metadata: createMemoryMetadataStore(),
    topology,
    hasher: nodeCryptoHasher,
  });
  await put(single.url, single.keys.readwrite);
});

afterAll(async () => {
  await cluster.close();
  await single.close();
  await rm(folder, { recursive: true });
});

/** Bytes read from the disk for each of {@link RANGES}. */
async function costs(read: (offset: number) => Promise<Uint8Array>): Promise<number[]> {
  const found: number[] = [];
  for (const [offset] of RANGES) {
    bytesRead = 0;
    expect(Buffer.compare(await read(offset), body.subarray(offset, offset + 10))).toBe(0);
    found.push(bytesRead);
  }
  return found;
}

/** The same through an app's client. */
const costsOfSlices = (app: ObjectClient): Promise<number[]> =>
  costs((offset) =>
    app
      .bucket("box")
      .object("k")
      .slice(offset, offset + 10)
      .bytes(),
  );

const WANTED = RANGES.map(([, bytes]) => bytes);
const TRANSPORTS: ReadonlyArray<readonly [string, () => Transport]> = [
  ["http by fetch", httpTransport],
  ["http by undici", undiciTransport],
  ["connect", connectTransport],
  ["grpc", grpcTransport],
];

describe.each(TRANSPORTS)("ten bytes over %s", (_name, transport) => {
  it.each([
    ["gateway", gateway],
    ["direct", direct],
  ])("read their blocks at the node: %s", async (_seat, seat) => {
    const app = createClient(seat({ url: cluster.url, apiKey: cluster.keys.readonly, transport: transport() }));
    expect(await costsOfSlices(app)).toEqual(WANTED);
    await app.close();
  });

  it("read their blocks in a gateway's own store", async () => {
    const app = createClient(gateway({ url: single.url, apiKey: single.keys.readonly, transport: transport() }));
    expect(await costsOfSlices(app)).toEqual(WANTED);
    await app.close();
  });
});

it("ten bytes of an object over plain HTTP read their blocks, from the node and from the gateway's own store", async () => {
  for (const { url, keys } of [cluster, single]) {
    const read = async (offset: number): Promise<Uint8Array> => {
      const headers = { authorization: `Bearer ${keys.readonly}`, range: `bytes=${offset}-${offset + 9}` };
      return new Uint8Array(await (await fetch(`${url}/objects/box/k`, { headers })).arrayBuffer());
    };
    expect(await costs(read)).toEqual(WANTED);
  }
});

it("ten bytes in an embedded engine read their blocks", async () => {
  const own = await countedStore();
  const engine = createEngine({
    catalog: createMemoryMetadataStore(),
    topology: singleStoreTopology(own),
    ...{ hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger },
  });
  await engine.createBucket("box");
  const source = { bucket: "box", key: "k", attributes: { metadata: {} }, chunker: fixed(CHUNK) };
  const whole = async function* () {
    yield body;
  };
  await engine.putObject(source, whole());
  const read = async (offset: number): Promise<Uint8Array> => {
    const opened = await engine.openObject({ bucket: "box", key: "k", range: { offset, length: 10 } });
    const slices: Uint8Array[] = [];
    for await (const slice of opened.read()) slices.push(slice);
    return Buffer.concat(slices);
  };
  expect(await costs(read)).toEqual(WANTED);
  await engine.close();
});

describe("a chunk of a gateway over nodes", () => {
  async function chunkPath(): Promise<{ url: string; headers: Record<string, string> }> {
    const { chunks } = await store.listChunks();
    const ids = chunks.map(({ chunkId }) => encodeHex(chunkId));
    const first = encodeHex(await nodeCryptoHasher.digest(body.subarray(0, CHUNK)));
    expect(ids).toContain(first);
    const grant = await cluster.keeper.issueRead({ chunkId: decodeDigestHex(first), apiKeyId: "the-app" });
    return { url: `${cluster.url}/chunks/${first}`, headers: { authorization: `Bearer ${grant}` } };
  }

  it.each([
    ["from an offset", "bytes=100-109", body.subarray(100, 110), BLOCK + TRAILER],
    // The size has to be known first, and the first byte tells it.
    ["from the end", "bytes=-10", body.subarray(CHUNK - 10, CHUNK), 2 * (BLOCK + TRAILER)],
    ["beyond the end", `bytes=${CHUNK - 10}-${CHUNK + 5}`, body.subarray(CHUNK - 10, CHUNK), BLOCK + TRAILER],
  ])("is read in blocks over plain HTTP: %s", async (_where, range, wanted, cost) => {
    const { url, headers } = await chunkPath();
    bytesRead = 0;
    const answer = await fetch(url, { headers: { ...headers, range } });
    expect(answer.status).toBe(206);
    expect(answer.headers.get("content-range")).toMatch(new RegExp(`/${CHUNK}$`));
    expect(Buffer.compare(new Uint8Array(await answer.arrayBuffer()), wanted)).toBe(0);
    expect(bytesRead).toBe(cost);
  });

  it("tells its size where a range is not within it, and is read whole once", async () => {
    const { url, headers } = await chunkPath();
    for (const range of [`bytes=${CHUNK}-`, "bytes=-0"]) {
      const outside = await fetch(url, { headers: { ...headers, range } });
      expect([outside.status, outside.headers.get("content-range")]).toEqual([416, `bytes */${CHUNK}`]);
      await outside.arrayBuffer();
    }
    bytesRead = 0;
    const whole = await fetch(url, { headers });
    expect(Buffer.compare(new Uint8Array(await whole.arrayBuffer()), body.subarray(0, CHUNK))).toBe(0);
    expect(bytesRead).toBe(CHUNK + TRAILER);
  });
});
