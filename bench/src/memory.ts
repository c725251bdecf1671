/**
 * Memory of a put of unknown length: streams GIB gibibytes in writes of 100 bytes to 1 MiB through a seat, and prints how far resident
 * memory grew over what it was before, beside the bound chunk × (concurrency + 2) + 64 MiB.
 *
 * Run: npm run bench:memory -- [GIB=4] [WRITE_BYTES=mixed]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, GIB, LIMITS, MIB } from "@ashlar/sdk";

const gibibytes = Number(process.argv[2] ?? 4);
const fixedWrite = process.argv[3] === undefined ? undefined : Number(process.argv[3]);
const sizeBytes = gibibytes * GIB;

async function* writes(): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(MIB).fill(7);
  const lengths = fixedWrite === undefined ? [100, 4096, 65_536, 1_000_000, MIB] : [fixedWrite];
  let sent = 0;
  for (let count = 0; sent < sizeBytes; count++) {
    const length = Math.min(lengths[count % lengths.length] as number, sizeBytes - sent);
    if (sent % MIB < length) block.writeDoubleLE(sent, 0);
    yield block.subarray(0, length);
    sent += length;
  }
}

const folder = await mkdtemp(join(process.cwd(), ".bench-"));
const client = createClient(embedded({ path: folder, durability: "os" }));
try {
  await client.createBucket({ bucket: "bench" });
  await client.putObject({ bucket: "bench", key: "warm-up", body: Buffer.alloc(32 * MIB, 1) });
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const startedAtMs = performance.now();
  const put = await client.putObject({ bucket: "bench", key: "stream", body: writes() });
  clearInterval(sampler);
  const seconds = (performance.now() - startedAtMs) / 1000;
  const bound = LIMITS.CHUNK_DEFAULT_BYTES.value * (LIMITS.CONCURRENCY_DEFAULT.value + 2) + 64 * MIB;
  const growth = peak - before;
  console.log(
    `${put.sizeBytes} bytes of unknown length in ${put.chunkCount} chunks, ${(put.sizeBytes / 1e6 / seconds).toFixed(0)} MB/s`,
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
