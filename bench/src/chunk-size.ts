/**
 * Which chunk size: puts and gets 256 MiB through an embedded store with chunks of 1, 4, 8 and 16 MiB, in turn, and prints medians and ratios.
 *
 * Run: npm run bench:chunk-size -- [ROUNDS=5] [strict|os]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, type Durability, fixed, MIB } from "@ashlar/sdk";
import { uniqueSlices } from "./load/unique-body.ts";
import { median, megabytesPerSecond } from "./statistics.ts";

const rounds = Number(process.argv[2] ?? 5);
const durability = (process.argv[3] ?? "strict") as Durability;
const sizeBytes = 256 * MIB;
const chunkMib = [1, 4, 8, 16];

const put = new Map<number, number[]>();
const get = new Map<number, number[]>();
for (let round = 0; round < rounds; round++) for (const mib of chunkMib) await measure(mib);

/** One put and one get in a store of its own, so that no round pays for the files of another. */
async function measure(mib: number): Promise<void> {
  const folder = await mkdtemp(join(process.cwd(), ".bench-"));
  const client = createClient(embedded({ path: folder, durability }));
  try {
    await client.createBucket({ bucket: "bench" });
    let startedAtMs = performance.now();
    await client.putObject({ bucket: "bench", key: "k", body: uniqueSlices(sizeBytes), chunker: fixed(mib * MIB) });
    put.set(mib, [...(put.get(mib) ?? []), megabytesPerSecond(sizeBytes, performance.now() - startedAtMs)]);
    startedAtMs = performance.now();
    for await (const _ of await client.getObject({ bucket: "bench", key: "k" })) void _;
    get.set(mib, [...(get.get(mib) ?? []), megabytesPerSecond(sizeBytes, performance.now() - startedAtMs)]);
  } finally {
    await client.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Median over the rounds, and the median of the ratios to the 4 MiB of the same round: the machine is slower in some rounds than in others. */
function cell(figures: ReadonlyMap<number, readonly number[]>, mib: number): string {
  const values = figures.get(mib) ?? [];
  const ratio = median(values.map((value, round) => value / (figures.get(4)?.[round] ?? Number.NaN)));
  return `${median(values).toFixed(0).padStart(6)} (${ratio.toFixed(2)})`;
}

console.log(
  `embedded, ${durability}, 256 MiB objects, ${rounds} rounds, median MB/s (median ratio to 4 MiB in the same round)`,
);
for (const mib of chunkMib) console.log(`${String(mib).padStart(3)} MiB  put ${cell(put, mib)}  get ${cell(get, mib)}`);
