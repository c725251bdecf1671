/** A gateway over a store of its own process: what is read, what is checked and what is left to the reader. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import * as nodeFs from "node:fs/promises";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, fixed, gateway, MIB } from "@ashlar/sdk";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import type { Hasher, Transport } from "@ashlar/sdk/ports";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMetrics } from "../observability/index.ts";
import type { GatewayOptions } from "./create-gateway.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

const CHUNK = 3 * MIB;
const SIZE = 3 * CHUNK + 1000;

let folder: string;
let server: TestGateway;
let body: Buffer;
/** Digests that the gateway computed. */
let hashed: number;
/** Files that are open now. */
let openCount: number;

const hasher: Hasher = {
  ...nodeCryptoHasher,
  digest: (bytes) => {
    hashed++;
    return nodeCryptoHasher.digest(bytes);
  },
};

async function start(options: Partial<GatewayOptions> = {}): Promise<void> {
  const fileSystem = {
    ...nodeFs,
    async open(...args: Parameters<typeof nodeFs.open>) {
      const handle = await nodeFs.open(...args);
      openCount++;
      const close = handle.close.bind(handle);
      handle.close = async () => {
        openCount--;
        await close();
      };
      return handle;
    },
  };
  const topology = singleStoreTopology(await openFsChunkStore({ path: folder, durability: "os", fileSystem }));
  server = await startTestGateway({ metadata: createMemoryMetadataStore(), topology, hasher }, options);
  const app = clientOf(undiciTransport());
  await app.createBucket({ bucket: "box" });
  await app.putObject({ bucket: "box", key: "k", body, chunker: fixed(CHUNK) });
  await app.close();
  hashed = 0;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-own-"));
  body = randomBytes(SIZE);
  openCount = 0;
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

function clientOf(transport: Transport) {
  return createClient(gateway({ url: server.url, apiKey: server.keys.readwrite, transport, hasher: nodeCryptoHasher }));
}

function get(headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/objects/box/k`, {
    headers: { authorization: `Bearer ${server.keys.readonly}`, ...headers },
  });
}

async function bytesOf(answer: Response): Promise<Buffer> {
  return Buffer.from(await answer.arrayBuffer());
}

/** Flips a bit of the chunk that lies at `offset` of the object, on the disk. */
async function damage(offset: number): Promise<void> {
  const start = Math.floor(offset / CHUNK) * CHUNK;
  const id = createHash("sha256")
    .update(body.subarray(start, start + CHUNK))
    .digest("hex");
  const file = await open(join(folder, "chunks", id.slice(0, 2), id.slice(2, 4), id), "r+");
  await file.write(Uint8Array.of((body[offset] ?? 0) ^ 1), 0, 1, offset - start);
  await file.close();
}

describe("an object in the gateway's own store", () => {
  it("is read whole and in parts, and its digest is left to the reader", async () => {
    await start();
    const whole = await get();
    expect(whole.headers.get("content-length")).toBe(String(SIZE));
    expect(whole.headers.get("etag")).toMatch(/^"/);
    expect((await bytesOf(whole)).equals(body)).toBe(true);
    for (const [first, last] of [
      [0, 0],
      [5, 14],
      [CHUNK - 1, CHUNK],
      [65_535, 2 * MIB + 7],
      [MIB, SIZE - 1],
    ] as const) {
      const part = await get({ range: `bytes=${first}-${last}` });
      expect(part.headers.get("content-range")).toBe(`bytes ${first}-${last}/${SIZE}`);
      expect((await bytesOf(part)).equals(body.subarray(first, last + 1))).toBe(true);
    }
    expect((await bytesOf(await get({ range: "bytes=-1001" }))).equals(body.subarray(-1001))).toBe(true);
    expect((await get({ range: `bytes=${SIZE}-` })).status).toBe(416);
    expect(hashed).toBe(0);
    await expect.poll(() => openCount).toBe(0);
  });

  it.each([
    ["http", undiciTransport],
    ["grpc", grpcTransport],
  ])("is checked by the client's own engine over %s", async (_name, transport) => {
    await start();
    const app = clientOf(transport());
    const read = await (await app.getObject({ bucket: "box", key: "k" })).bytes();
    expect(Buffer.compare(read, body)).toBe(0);
    await app.close();
  });

  it("that is damaged in its first bytes is an error as a whole, which names the object and is counted", async () => {
    const metrics = createMetrics();
    await start({ metrics });
    await damage(100);
    const answer = await get();
    expect(answer.status).toBe(500);
    expect(answer.headers.get("ashlar-error-code")).toBe("CHUNK_CORRUPT");
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining("box/k cannot be read") });
    expect((await metrics.render()).text).toContain("\nashlar_chunks_damaged_total 1\n");
    expect(await readdir(join(folder, "quarantine"))).toHaveLength(1);
    const next = await get();
    expect(next.headers.get("ashlar-error-code")).toBe("CHUNK_MISSING");
    await next.arrayBuffer();
    await expect.poll(() => openCount).toBe(0);
  });

  it.each([
    ["a later piece of its first chunk", 2 * MIB + 5],
    ["a later chunk", 2 * CHUNK + 5],
  ])("that is damaged in %s is cut before the damage", async (_where, offset) => {
    await start();
    await damage(offset);
    const answer = await get();
    expect(answer.status).toBe(200);
    const received: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const slice of answer.body ?? []) received.push(slice);
    };
    await expect(read()).rejects.toThrow();
    const bytes = Buffer.concat(received);
    expect(bytes.byteLength).toBeLessThanOrEqual(offset);
    expect(bytes.equals(body.subarray(0, bytes.byteLength))).toBe(true);
    // A range without the damage is read, as its chunk is still there.
    expect(
      (await bytesOf(await get({ range: `bytes=${CHUNK}-${CHUNK + 9}` }))).equals(body.subarray(CHUNK, CHUNK + 10)),
    ).toBe(true);
    await expect.poll(() => openCount).toBe(0);
  });

  it("is read by others while a client stops, and is closed when that client goes away", async () => {
    await start();
    const sockets = Array.from({ length: 5 }, () => connect(Number(new URL(server.url).port), "127.0.0.1"));
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.write(`GET /objects/box/k HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.keys.readonly}\r\n\r\n`);
      await once(socket, "data");
      socket.pause();
    }
    expect((await bytesOf(await get())).equals(body)).toBe(true);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => openCount).toBe(0);
  });

  it("waits for room among the answers that the gateway holds", async () => {
    await start({ bytesInFlightMax: 16 * MIB });
    const answers = await Promise.all(Array.from({ length: 12 }, async () => await bytesOf(await get())));
    for (const bytes of answers) expect(bytes.equals(body)).toBe(true);
  });
});
