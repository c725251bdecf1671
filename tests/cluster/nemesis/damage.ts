import { existsSync } from "node:fs";
import { readdir, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestFromBytes } from "@ashlar/sdk/hash";
import type { SeededRandom } from "../../support/seeded-random.ts";
import { BUCKET } from "./clients.ts";
import { CHUNK_BYTES } from "./contents.ts";
import { type NemesisServers, pause, type Server } from "./servers.ts";
import { chunkFile, lacks, newestPlacement, readIfThere } from "./whole.ts";

export type DamageKind = "flip" | "truncate" | "delete";

/** A file that was damaged. */
export interface DamagedFile {
  readonly chunkId: string;
  readonly path: string;
  /** What it held. A chunk's file never changes, so it holds this again when it is restored. */
  readonly original: Buffer;
}

/** What became of damaged files. */
export interface HealingCounts {
  damaged: number;
  /** Restored by the cluster, because a reader or a scrub met them, or the content was put anyway. */
  met: number;
  /** Restored when the same content was put again. */
  putAgain: number;
  /** Put back by the nemesis: no layout wants the copy any more, so nothing looks at it. */
  unwanted: number;
}

const FILES_MAX = 6;
/** Damaged files are met by the scrub of their node, which tells its heartbeat within ten seconds; deleted ones by readers only. */
const MEET_LIMITS_MS: Readonly<Record<DamageKind, number>> = { flip: 20_000, truncate: 20_000, delete: 2500 };
const HEAL_LIMIT_MS = 90_000;
const POLL_MS = 250;
/** Of a chunk file: checksums of its blocks and the footer; see the chunk format of the adapter. */
const FOOTER_BYTES = 64;
const BLOCK_CHECKSUM_BYTES = 4;

/** Damages some chunk files of a node, of those that the newest layout wants there. */
export async function damage(
  servers: NemesisServers,
  { node, kind, random }: { readonly node: Server; readonly kind: DamageKind; readonly random: SeededRandom },
): Promise<readonly DamagedFile[]> {
  const ids = await wantedChunks(servers, node);
  const damaged: DamagedFile[] = [];
  for (let left = FILES_MAX; left > 0 && ids.length > 0; left--) {
    const [chunkId] = ids.splice(random.below(ids.length), 1) as [string];
    const path = chunkFile(node, chunkId);
    const original = await readIfThere(path);
    if (original === undefined) continue;
    damaged.push({ chunkId, path, original });
    if (kind === "delete") await unlink(path);
    else if (kind === "truncate") await truncate(path, random.below(original.byteLength));
    else {
      const changed = Buffer.from(original);
      const at = random.below(changed.byteLength);
      changed[at] = (changed[at] as number) ^ (1 << random.below(8));
      await writeFile(path, changed);
    }
  }
  return damaged;
}

/** The chunks that a node holds and should hold, in order; any that it holds, while the database is away. */
async function wantedChunks({ metadata }: NemesisServers, node: Server): Promise<string[]> {
  const ids = await chunksOf(node);
  try {
    const placement = await newestPlacement(metadata);
    return ids.filter((id) => placement.nodesOf(digestFromBytes(Buffer.from(id, "hex"))).includes(node.name));
  } catch {
    return ids;
  }
}

async function chunksOf({ folder = "" }: Pick<Server, "folder">): Promise<string[]> {
  const chunks = join(folder, "chunks");
  // A node makes the folder with its first chunk.
  const files = existsSync(chunks) ? await readdir(chunks, { recursive: true }) : [];
  return files
    .map((file) => file.split("/").at(-1) ?? "")
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .sort();
}

/**
 * Waits until readers or scrubs have met the files. Nothing misses a deleted copy that nobody reads, so the content of these is put again, as an operator
 * could.
 *
 * @returns what is still damaged, although a layout wants it: a finding.
 */
export async function heal(
  servers: NemesisServers,
  files: readonly DamagedFile[],
  { node, kind, counts }: { readonly node: Server; readonly kind: DamageKind; readonly counts: HealingCounts },
): Promise<readonly DamagedFile[]> {
  counts.damaged += files.length;
  const meetLimitMs = performance.now() + MEET_LIMITS_MS[kind];
  let unmet = files;
  while (unmet.length > 0 && performance.now() < meetLimitMs) {
    await pause(POLL_MS);
    unmet = await stillDamaged(unmet);
  }
  counts.met += files.length - unmet.length;
  const limitMs = performance.now() + HEAL_LIMIT_MS;
  let left = unmet;
  for (let round = 0; left.length > 0 && performance.now() < limitMs; round++) {
    await Promise.all(left.map((file) => putAgain(servers, file, round)));
    await pause(POLL_MS);
    left = await stillDamaged(left);
    left = await putBackUnwanted(servers, left, { node, counts });
    if (left.length > 0) await pause(1000);
  }
  counts.putAgain += unmet.length - left.length;
  // So that the run can go on: the finding tells what happened.
  for (const { path, original } of left) await writeFile(path, original);
  return left;
}

async function stillDamaged(files: readonly DamagedFile[]): Promise<readonly DamagedFile[]> {
  const bytes = await Promise.all(files.map(({ path }) => readIfThere(path)));
  return files.filter(({ original }, index) => bytes[index] === undefined || !original.equals(bytes[index]));
}

async function putAgain({ seats }: NemesisServers, { chunkId, original }: DamagedFile, round: number): Promise<void> {
  const blocks = Math.ceil((original.byteLength - FOOTER_BYTES) / (CHUNK_BYTES + BLOCK_CHECKSUM_BYTES));
  const body = original.subarray(0, original.byteLength - FOOTER_BYTES - blocks * BLOCK_CHECKSUM_BYTES);
  const seat = seats[round % seats.length];
  // A seat that is away: the next round takes another.
  await seat?.client.putObject({ bucket: BUCKET, key: `healed/${chunkId}`, body, timeoutMs: 20_000 }).catch(() => {});
}

/** A copy that the newest layout does not want is asked for by nobody, once every chunk follows that layout. */
async function putBackUnwanted(
  servers: NemesisServers,
  files: readonly DamagedFile[],
  { node, counts }: { readonly node: Server; readonly counts: HealingCounts },
): Promise<readonly DamagedFile[]> {
  if (files.length === 0) return files;
  const layouts = (await lacks(servers)).filter((lack) => /layouts|does not answer/.test(lack));
  if (layouts.length > 0) return files;
  const placement = await newestPlacement(servers.metadata);
  const isWanted = ({ chunkId }: DamagedFile): boolean =>
    placement.nodesOf(digestFromBytes(Buffer.from(chunkId, "hex"))).includes(node.name);
  for (const file of files.filter((each) => !isWanted(each))) {
    await writeFile(file.path, file.original);
    counts.unwanted++;
  }
  return files.filter(isWanted);
}
