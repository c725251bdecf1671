/**
 * Up to which size objects should live in their metadata row: puts and gets objects of 4 KiB to 256 KiB, 16 at once, through an embedded
 * store, once inline and once as a chunk, in turn, and prints objects per second and the ratio inline ÷ chunk.
 *
 * Run: npm run bench:inline-limit -- [rounds] [strict|os]
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, type Durability, KIB, MIB, type ObjectClient } from "@ashlar/sdk";
import { median } from "./statistics.ts";

const rounds = Number(process.argv[2] ?? 3);
const durability = (process.argv[3] ?? "strict") as Durability;
const IN_FLIGHT = 16;
const sizesKib = [4, 16, 32, 64, 128, 256];

interface Rates {
  readonly put: number;
  readonly get: number;
}

/** Runs `work` `count` times, 16 at once. @returns runs per second. */
async function rate(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (count / (performance.now() - startedAtMs)) * 1000;
}

async function measure(sizeBytes: number, inline: boolean): Promise<Rates> {
  const folder = await mkdtemp(join(process.cwd(), ".bench-"));
  const client: ObjectClient = createClient(embedded({ path: folder, durability, inlineMaxBytes: inline ? MIB : 0 }));
  try {
    await client.createBucket({ bucket: "bench" });
    const count = Math.max(200, Math.min(1500, Math.floor((32 * MIB) / sizeBytes)));
    const bytes = randomBytes(sizeBytes);
    const put = await rate(count, (index) => {
      const own = Buffer.from(bytes);
      own.writeUInt32LE(index, 0);
      return client.putObject({ bucket: "bench", key: `k${index}`, body: own });
    });
    const get = await rate(count, async (index) =>
      (await client.getObject({ bucket: "bench", key: `k${index}` })).bytes(),
    );
    return { put, get };
  } finally {
    await client.close();
    await rm(folder, { recursive: true, force: true });
  }
}

console.log(`embedded, ${durability}, ${IN_FLIGHT} at once, ${rounds} rounds, median objects/s`);
for (const kib of sizesKib) {
  const inline: Rates[] = [];
  const chunk: Rates[] = [];
  for (let round = 0; round < rounds; round++) {
    inline.push(await measure(kib * KIB, true));
    chunk.push(await measure(kib * KIB, false));
  }
  const line = (name: keyof Rates): string => {
    const a = median(inline.map((rates) => rates[name]));
    const b = median(chunk.map((rates) => rates[name]));
    return `${name} ${a.toFixed(0).padStart(6)} inline ${b.toFixed(0).padStart(6)} chunk (${(a / b).toFixed(2)})`;
  };
  console.log(`${String(kib).padStart(4)} KiB  ${line("put")}   ${line("get")}`);
}
