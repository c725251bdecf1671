/**
 * What a commit costs where PostgreSQL is far away. Commits objects that are inline, of one chunk and of 16 chunks, each key twice, one at a time,
 * through a proxy that delays each way. First a pool that waits for each statement (as all pools did before pipelining), then one that pipelines.
 * Prints medians and ratios.
 *
 * Run: npm run bench:far-database -- [COMMITS=200] [ms each way=2]
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import type { CommitObject, Digest, MetadataStore } from "@ashlar/sdk/ports";
import pg from "pg";
import { openPostgres } from "./servers/postgres.ts";
import { median } from "./statistics.ts";

const commitCount = Number(process.argv[2] ?? 200);
const delayMs = Number(process.argv[3] ?? 2);
const BUCKET = "bench";
const CHUNK_BYTES = 4096;

function commitOf(name: string, chunkCount: number): CommitObject {
  const chunks = Array.from({ length: chunkCount }, (_, index) => ({
    chunkId: new Uint8Array(createHash("sha256").update(`${name} ${index}`).digest()) as Digest,
    sizeBytes: CHUNK_BYTES,
  }));
  const content = chunkCount === 0 ? { inline: new Uint8Array(CHUNK_BYTES) } : { chunks };
  const sizeBytes = Math.max(1, chunkCount) * CHUNK_BYTES;
  return { bucket: BUCKET, key: name, sizeBytes, etag: "x", durability: "os", attributes: {}, content };
}

/** A proxy that passes bytes on, late, each way. */
async function startFarProxy(databaseUrl: string): Promise<{ readonly url: string; close(): void }> {
  const target = new URL(databaseUrl);
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: Number(target.port || 5432), host: target.hostname, noDelay: true });
    near.on("data", (data) => setTimeout(() => far.write(data), delayMs));
    far.on("data", (data) => setTimeout(() => near.write(data), delayMs));
    for (const socket of [near, far]) {
      socket.on("error", () => {});
      socket.on("close", () => [near, far].map((one) => one.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const near = new URL(databaseUrl);
  near.host = `127.0.0.1:${address.port}`;
  return { url: near.href, close: () => server.close() };
}

/** Each store has keys of its own, so that half of its commits replace an object. */
async function commitMs(store: MetadataStore, keys: string, chunkCount: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < commitCount; index++) {
    const commit = commitOf(`${keys}/${chunkCount}/${index >> 1}`, chunkCount);
    const startedAtMs = performance.now();
    await store.commitObject(commit);
    times.push(performance.now() - startedAtMs);
  }
  return times;
}

async function compare(farUrl: string): Promise<void> {
  const open = (pipeline: boolean): Promise<MetadataStore> =>
    openPostgresMetadataStore({ pool: () => new pg.Pool({ connectionString: farUrl, max: 1, pipeline }) });
  const [waiting, pipelining] = await Promise.all([open(false), open(true)]);
  try {
    await waiting.createBucket(BUCKET);
    console.log(`PostgreSQL, ${delayMs} ms each way, ${commitCount} commits one at a time, median ms`);
    for (const chunkCount of [0, 1, 16]) {
      const before = median(await commitMs(waiting, "waiting", chunkCount));
      const after = median(await commitMs(pipelining, "pipelining", chunkCount));
      const what = chunkCount === 0 ? "inline" : `${chunkCount} chunks`;
      console.log(`${what}: ${before.toFixed(1)}, pipelined ${after.toFixed(1)}, ratio ${(before / after).toFixed(1)}`);
    }
  } finally {
    await Promise.all([waiting.close(), pipelining.close()]);
  }
}

const folder = await mkdtemp(join(process.cwd(), ".bench-"));
const postgres = await openPostgres(folder);
try {
  const proxy = await startFarProxy(await postgres.createDatabase());
  await compare(proxy.url).finally(() => proxy.close());
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
