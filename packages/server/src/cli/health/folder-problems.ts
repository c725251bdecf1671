import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { type BadEntry, type ScrubRecord, systemClock } from "@ashlar/sdk/ports";
import { isThere } from "../../files/file-error.ts";
import { formatBytes, formatCount, formatTime } from "../../observability/format.ts";
import { isOverdue } from "../../scrub/index.ts";
import { holdsStore, type MetadataPlace, openMetadata } from "../servers/open-metadata.ts";
import { diskFinding, type Finding } from "./finding.ts";
import { findRowProblems } from "./row-problems.ts";

/** At most this many bad entries are listed; the others are only counted. */
const LISTED_MAX = 100;

/** What is wrong with the folder of an embedded store. If there is no store, makes none. */
export async function findFolderProblems(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  if (!holdsStore(path)) {
    // The examination says whether the database was lost.
    if (isThere(join(path, "database.json")) && !isThere(join(path, "server.json"))) {
      return await examineMetadata({ path }, signal);
    }
    // The data folder of a storage node holds chunks only.
    if (isThere(join(path, "format.json"))) {
      return [
        ...(await examine("chunks", () => countChunks(path, signal))),
        ...(await examine("chunks", () => damagedChunks(path, signal))),
      ];
    }
    return [
      {
        level: "broken",
        what: `${path} holds no store`,
        why: "there is nothing to read",
        action: "see whether this is the right folder; the first write makes a store",
      },
    ];
  }
  return [
    ...(await examineMetadata({ path }, signal)),
    ...(await examine("chunks", () => countChunks(path, signal))),
    ...(await examine("chunks", () => damagedChunks(path, signal))),
    ...(await examine("chunks", () => missingChunks(path, signal))),
  ];
}

async function examine(name: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    const { message } = AshlarError.from(thrown);
    return [
      {
        level: "broken",
        what: `${name}: ${message}`,
        why: "the store cannot be used like this",
        action: "do what the message says; restore it from a backup if it is damaged; see the cause with --debug",
      },
    ];
  }
}

/** Whether the metadata can be read, and is what was written. Reads all of an SQLite file. */
export function examineMetadata(place: MetadataPlace, signal: AbortSignal): Promise<readonly Finding[]> {
  return examine("metadata", async () => {
    await using opened = await openMetadata(place);
    await opened.metadata.ping({ signal });
    const buckets = await opened.metadata.listBuckets({ signal });
    const problems = await opened.metadata.checkIntegrity({ signal });
    const found = problems.map(damagedMetadata);
    return [{ level: "ok", what: `metadata: ${formatCount(buckets.length, "bucket")}` }, ...found];
  });
}

/** A finding about damage in the database itself. */
export function damagedMetadata(problem: string): Finding {
  return {
    level: "broken",
    what: `the metadata is damaged: ${problem}`,
    why: "bytes changed in the database's file; objects may be missing or unreadable, and more writes may spread the damage",
    action:
      "stop the programs that use it, copy the folder, and restore the database from a backup; sqlite3 metadata.sqlite .recover saves what can be read",
  };
}

async function countChunks(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const store = await openFsChunkStore({ path });
  try {
    const stats = await store.stats({ signal });
    const disk = diskFinding("disk", stats, formatBytes);
    const chunks: Finding = {
      level: "ok",
      what: `${formatCount(stats.chunkCount, "chunk")}, ${formatBytes(stats.bytesUsed)}`,
    };
    return [chunks, ...(disk === undefined ? [] : [disk]), ...badEntries(stats.badEntries ?? [])];
  } finally {
    await store.close();
  }
}

/** Entries that the count had to skip. */
function badEntries(entries: readonly BadEntry[]): readonly Finding[] {
  const findings = entries.slice(0, LISTED_MAX).map(
    ({ path, problem }): Finding => ({
      level: "broken",
      what: `${path}: ${problem}`,
      why: "what belongs there cannot be read or written here; a cluster reads another copy of a chunk",
      action:
        "if the entry cannot be read, check the disk; otherwise move it away by hand, and put the content again that belongs there",
    }),
  );
  const moreCount = entries.length - findings.length;
  if (moreCount > 0)
    findings.push({ level: "broken", what: `and ${formatCount(moreCount, "more entry", "more entries")} like these` });
  return findings;
}

/** Chunks that were found damaged and put aside, whose files nothing deletes, and when all others were checked last. */
async function damagedChunks(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const folder = join(path, "quarantine");
  const names = isThere(folder) ? await readdir(folder) : [];
  const store = await openFsChunkStore({ path });
  try {
    const checked = scrubFindings(await store.readScrubRecord({ signal }), systemClock.nowMs());
    if (names.length === 0) return checked;
    const lostCount = (await store.lostChunks({ signal })).length;
    const aside: Finding = {
      level: "warning",
      what: `${formatCount(names.length, "damaged chunk")} ${names.length === 1 ? "was" : "were"} put aside in ${folder}`,
      why: "bytes changed on the disk, which may be failing; the files are kept as evidence, and nothing reads them",
      action: "check the disk; delete the files when you have seen them",
    };
    if (lostCount === 0) return [...checked, aside];
    if (!(await isSingleStore(path, signal))) return [...checked, aside, toRepair(lostCount)];
    const hurt = await findRowProblems({ place: { path }, signal, onProgress: () => {} });
    return [...checked, aside, ...hurt.filter(({ level }) => level === "broken")];
  } finally {
    await store.close();
  }
}

function toRepair(count: number): Finding {
  return {
    level: "warning",
    what: `${formatCount(count, "chunk")} ${count === 1 ? "is" : "are"} put aside and not yet made again`,
    why: "as long as a copy is missing, the chunk survives one loss less",
    action: "leave the node running: it tells the cluster, and repair makes the copies again from other nodes",
  };
}

/** When all chunks were checked last, by the record in the folder. */
function scrubFindings(record: ScrubRecord | undefined, nowMs: number): readonly Finding[] {
  const { last } = record ?? {};
  if (last === undefined) {
    const what = "not every chunk was checked yet since the store was made";
    return [{ level: "note", what, action: "servers do it by themselves; for a store of an app: ashlar scrub" }];
  }
  const what = `all chunks were checked, the last time on ${formatTime(last.endedAtMs)} UTC: ${formatCount(last.chunkCount, "chunk")}, ${formatBytes(last.byteCount)}, ${last.damagedCount} damaged`;
  if (!isOverdue({ sinceMs: 0, last }, LIMITS.SCRUB_PERIOD_MS, nowMs)) return [{ level: "ok", what }];
  return [
    {
      level: "warning",
      what,
      why: "bytes that changed on the disk since are not noticed",
      action: "run: ashlar scrub",
    },
  ];
}

/** Whether the folder holds a store that has the only copy of each chunk: the metadata is there, and it is not that of a cluster. */
export async function isSingleStore(path: string, signal: AbortSignal): Promise<boolean> {
  if (!holdsStore(path)) return false;
  await using opened = await openMetadata({ path });
  return (await opened.metadata.clusterSnapshot({ signal })).layouts.length === 0;
}

/** The folder is made with the first chunk, so it may be missing while no object has chunks. */
async function missingChunks(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  if (isThere(join(path, "chunks")) || !(await hasChunkedObject(path, signal))) return [];
  return [
    {
      level: "broken",
      what: `the chunks folder is missing in ${path}, but objects have chunks`,
      why: "objects larger than 32 KiB cannot be read",
      action: "restore it from a backup, or put the same content again",
    },
  ];
}

/** Whether an object has chunks in this folder. Looks at the largest object in the first page of each bucket: if one there has chunks, it has. */
async function hasChunkedObject(path: string, signal: AbortSignal): Promise<boolean> {
  await using opened = await openMetadata({ path });
  const { metadata } = opened;
  // The chunks of a cluster are on its nodes.
  if ((await metadata.clusterSnapshot({ signal })).layouts.length > 0) return false;
  for (const { bucket } of await metadata.listBuckets({ signal })) {
    const { objects } = await metadata.listObjects({ bucket }, { signal });
    const [largest] = [...objects].sort((a, b) => b.sizeBytes - a.sizeBytes);
    if (largest === undefined) continue;
    const stored = await metadata.getObject({ bucket, key: largest.key, chunkLimit: 0 }, { signal });
    if (stored?.manifestId !== undefined) return true;
  }
  return false;
}
