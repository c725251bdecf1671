/**
 * The memory proof: streams GIB gibibytes of unknown length in writes of WRITE_BYTES into an embedded store, and prints how much resident
 * memory grew, and the bound chunk × (concurrency + 2) + 64 MiB. Exit code 1 if it grew more.
 *
 * Run: npm run bench:memory -- [GIB=10] [WRITE_BYTES=100]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, GIB, LIMITS, MIB } from "@ashlar/sdk";
import { uniqueSlices } from "./load/unique-body.ts";

const gibibytes = Number(process.argv[2] ?? 10);
const writeBytes = Number(process.argv[3] ?? 100);
const sizeBytes = gibibytes * GIB;
if (!(sizeBytes > 0 && Number.isInteger(writeBytes) && writeBytes >= 16)) {
  console.error("usage: npm run bench:memory -- [GIB=10] [WRITE_BYTES=100, at least 16]");
  process.exit(2);
}

const folder = await mkdtemp(join(process.cwd(), ".bench-"));
const client = createClient(embedded({ path: folder, durability: "os" }));
try {
  await client.createBucket({ bucket: "bench" });
  await client.putObject({ bucket: "bench", key: "warm-up", body: uniqueSlices(32 * MIB) });
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const startedAtMs = performance.now();
  const put = await client.putObject({ bucket: "bench", key: "stream", body: uniqueSlices(sizeBytes, writeBytes) });
  clearInterval(sampler);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const bound = LIMITS.CHUNK_DEFAULT_BYTES * (LIMITS.CONCURRENCY_DEFAULT + 2) + 64 * MIB;
  const growth = peak - before;
  const writes = Math.ceil(put.sizeBytes / writeBytes).toLocaleString("en-US");
  console.log(
    `${put.sizeBytes} bytes of unknown length in ${writes} writes of ${writeBytes} bytes: ${put.chunkCount} chunks, ` +
      `${seconds.toFixed(0)} s, ${(put.sizeBytes / 1e6 / seconds).toFixed(0)} MB/s`,
  );
  console.log(`resident memory: ${(before / MIB).toFixed(0)} MiB before, peak ${(peak / MIB).toFixed(0)} MiB`);
  console.log(
    `growth ${(growth / MIB).toFixed(0)} MiB, bound ${(bound / MIB).toFixed(0)} MiB: ${growth <= bound ? "within" : "OVER"}`,
  );
  process.exitCode = growth <= bound ? 0 : 1;
} finally {
  await client.close();
  await rm(folder, { recursive: true, force: true });
}
