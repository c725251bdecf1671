/** Clients that ask for much and take nothing: over HTTP/2 with a window of no bytes, so that the kernel takes nothing for them either. */
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, fixed, gateway, KIB } from "@ashlar/sdk";
import type { ChunkStore } from "@ashlar/sdk/ports";
import { ChunkService, ObjectService } from "@ashlar/sdk/rpc";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { startTestCluster } from "./testing/start-test-cluster.ts";

const CHUNK = 256 * KIB;
const BUCKET = "box";
const STREAMS = 40;

/** A gateway and a node whose reads are counted, with an object of 8 chunks and the id of one of them. */
async function prepare(bytesInFlightMax?: number) {
  const store = createMemoryChunkStore();
  const counts = { reads: 0 };
  const counted: ChunkStore = {
    ...store,
    capabilities: store.capabilities,
    putChunk: (id, bytes, options) => store.putChunk(id, bytes, options),
    getChunk(id, options) {
      counts.reads++;
      return store.getChunk(id, options);
    },
    hasChunks: (ids, options) => store.hasChunks(ids, options),
    deleteChunks: (ids, options) => store.deleteChunks(ids, options),
    listChunks: (options) => store.listChunks(options),
    stats: (options) => store.stats(options),
    close: () => store.close(),
  };
  const cluster = await startTestCluster(
    {
      metadata: createMemoryMetadataStore({ replicationFactor: 1 }),
      hasher: nodeCryptoHasher,
      transport: undiciTransport(),
      nodeCount: 1,
      openStore: () => counted,
    },
    { bytesInFlightMax },
  );
  onTestFinished(() => cluster.close());
  const app = createClient(gateway({ url: cluster.url, apiKey: cluster.keys.readwrite, transport: httpTransport() }));
  onTestFinished(() => app.close());
  await app.createBucket({ bucket: BUCKET });
  const body = new Uint8Array(8 * CHUNK).map((_, index) => index / CHUNK);
  await app.putObject({ bucket: BUCKET, key: "k", body, chunker: fixed(CHUNK) });
  const [chunk] = (await store.listChunks()).chunks;
  if (chunk === undefined) throw new Error("no chunk was stored");
  counts.reads = 0;
  const { chunkId } = chunk;
  const grant = await cluster.keeper.issueRead({ chunkId, apiKeyId: "the-app" });
  /** Reads the object as somebody with another key. */
  const read = async (): Promise<Uint8Array> => {
    const headers = { authorization: `Bearer ${cluster.keys.readonly}` };
    const answer = await fetch(`${cluster.url}/objects/${BUCKET}/k`, { headers });
    return new Uint8Array(await answer.arrayBuffer());
  };
  return { cluster, counts, chunkId, grant, body, read };
}

function grpcFrame<Schema extends DescMessage>(schema: Schema, message: MessageInitShape<Schema>): Buffer {
  const bytes = toBinary(schema, create(schema, message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

function openSession(url: string): ClientHttp2Session {
  const session = connect(url, { settings: { initialWindowSize: 0 } });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

const ASKS: Readonly<Record<string, (session: ClientHttp2Session, prepared: Prepared) => ClientHttp2Stream>> = {
  "an object over HTTP": (session, { cluster }) =>
    session.request({ ":path": `/objects/${BUCKET}/k`, authorization: `Bearer ${cluster.keys.readwrite}` }),
  "a chunk over HTTP": (session, { chunkId, grant }) => {
    const path = `/chunks/${Buffer.from(chunkId).toString("hex")}`;
    return session.request({ ":path": path, authorization: `Bearer ${grant}` });
  },
  "an object over gRPC": (session, { cluster }) => {
    const message = grpcFrame(ObjectService.method.getObject.input, { bucket: BUCKET, key: "k" });
    return grpc(session, "/ashlar.v1.ObjectService/GetObject", cluster.keys.readwrite, message);
  },
  "a chunk over gRPC": (session, { chunkId, grant }) => {
    const message = grpcFrame(ChunkService.method.getChunk.input, { chunkId: Uint8Array.from(chunkId) });
    return grpc(session, "/ashlar.v1.ChunkService/GetChunk", grant, message);
  },
};

function grpc(session: ClientHttp2Session, path: string, apiKey: string, message: Buffer): ClientHttp2Stream {
  const stream = session.request({
    ...{ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" },
    authorization: `Bearer ${apiKey}`,
  });
  stream.end(message);
  return stream;
}

test.each(Object.keys(ASKS))("%s: each answer that nobody takes holds one chunk", async (what) => {
  const prepared = await prepare();
  const session = openSession(prepared.cluster.url);
  for (let index = 0; index < STREAMS; index++) ASKS[what]?.(session, prepared).on("error", () => {});
  await expect.poll(() => prepared.counts.reads).toBe(STREAMS);
  // Other requests are answered meanwhile, and then nothing more has been fetched for these.
  expect(await prepared.read()).toEqual(prepared.body);
  expect(prepared.counts.reads).toBe(STREAMS + 8);
});

test.each(Object.keys(ASKS))("%s: all answers together hold no more than the gateway may", async (what) => {
  const prepared = await prepare(100 * CHUNK);
  const { counts } = prepared;
  const ask = (count: number): readonly ClientHttp2Session[] => {
    const sessions = [1, 2, 3].map(() => openSession(prepared.cluster.url));
    for (let index = 0; index < count; index++)
      ASKS[what]?.(sessions[index % 3] as ClientHttp2Session, prepared).on("error", () => {});
    return sessions;
  };
  const sessions = ask(150);
  await expect.poll(() => counts.reads).toBeGreaterThan(20);
  // Another client has a share of its own.
  for (let index = 0; index < 5; index++) expect(await prepared.read()).toEqual(prepared.body);
  expect(counts.reads - 5 * 8).toBeLessThan(100);
  for (const session of sessions) {
    const gone = once(session, "close");
    session.destroy();
    await gone;
  }
  // All of the budget comes back. Until then, waiting requests may still get what others gave back.
  const readsOfOne = async (): Promise<number> => {
    const before = counts.reads;
    await prepared.read();
    return counts.reads - before;
  };
  await expect.poll(readsOfOne).toBe(8);
  const before = counts.reads;
  ask(20);
  await expect.poll(() => counts.reads - before).toBe(20);
});
