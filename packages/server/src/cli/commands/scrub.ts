import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { type ScrubFault, scrub } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { type ScrubbingChunkStore, type ScrubProgress, systemClock } from "@ashlar/sdk/ports";
import { isThere } from "../../files/file-error.ts";
import { formatBytes, formatCount, formatDuration, formatRate, formatShare } from "../../observability/format.ts";
import { shareOf } from "../../scrub/index.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import type { Finding } from "../health/finding.ts";
import { isSingleStore } from "../health/folder-problems.ts";
import { findRowProblems } from "../health/row-problems.ts";
import { createStatusLine } from "../progress.ts";
import { assertStoreThere } from "../servers/open-metadata.ts";
import { findingLines } from "./health.ts";

const SETTINGS = ["path", "scrubCommandRate", "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const scrubCommand = defineCommand({
  name: "scrub",
  summary:
    "read and check every chunk file in the folder of a store or a storage node, put damaged ones aside, and name the objects hurt; servers do it by themselves",
  arguments: [],
  settings: SETTINGS,
  examples: ["scrub --path .ashlar", "scrub --path /data/n1 --rate 50MiB"],
  async run(call: Call) {
    const { settings, output, program, signal } = call;
    const { path } = settings;
    if (path === undefined) {
      throw new AshlarError("INVALID_ARGUMENT", "name the folder of the chunks with --path <folder>");
    }
    // A store without chunks has no format.json yet, and a storage node has no metadata.
    if (!isThere(join(path, "format.json"))) assertStoreThere(path);
    const faults = new FoundFaults();
    const startedAtMs = performance.now();
    const store = await openFsChunkStore({ path });
    let done: Checked;
    try {
      done = await checkAll(call, store, faults);
    } finally {
      await store.close();
    }
    const isSingle = await isSingleStore(path, signal);
    const isHurt = done.lostCount > 0 && isSingle;
    const findings = [
      ...faults.findings(isSingle),
      ...(isHurt ? await hurtObjects(call, path) : []),
      ...(done.endedBy === "disk" ? [DISK_FAILS] : []),
    ];
    for (const finding of findings) await output.result(finding, findingLines(finding, program));
    const { chunkCount, byteCount, endedBy, lostCount } = done;
    const tookMs = performance.now() - startedAtMs;
    const { damaged, unreadable, stray } = faults.counts;
    const counts = {
      chunkCount,
      byteCount,
      damaged,
      unreadable,
      stray,
      lostCount,
      tookMs: Math.round(tookMs),
      endedBy,
    };
    await output.result(counts, summary({ ...counts, tookMs }));
    return damaged + unreadable > 0 || endedBy === "disk" || isHurt ? EXIT_CODES.DAMAGED.value : EXIT_CODES.OK.value;
  },
});

/** What a pass has done. */
interface Checked {
  readonly chunkCount: number;
  readonly byteCount: number;
  /** Chunks that are put aside and absent since, also from earlier passes. */
  readonly lostCount: number;
  readonly endedBy: "end" | "disk";
}

async function checkAll(call: Call, store: ScrubbingChunkStore, faults: FoundFaults): Promise<Checked> {
  const { settings, io, output, signal } = call;
  const startedMs = performance.now();
  const line = createStatusLine(io.stderr, { shown: !output.json });
  try {
    const { progress, endedBy } = await scrub({
      ...{ store, signal, clock: systemClock },
      bytesPerSecond: settings.scrubCommandRate ?? Number.POSITIVE_INFINITY,
      onFault: (fault) => faults.add(fault),
      onProgress: (now) => line.show(() => progressText(now, (performance.now() - startedMs) / 1000)),
    });
    if (endedBy === "end") await rememberPass(store, progress, signal);
    const lostCount = (await store.lostChunks({ signal })).length;
    const { chunkCount, byteCount } = progress;
    return { chunkCount, byteCount, lostCount, endedBy: endedBy === "end" ? "end" : "disk" };
  } finally {
    line.end();
  }
}

function progressText(now: ScrubProgress, seconds: number): string {
  const { chunkCount, byteCount } = now;
  return `checking  ${formatShare(shareOf({ current: now }))}  ${formatCount(chunkCount, "chunk")}  ${formatBytes(byteCount)}  ${formatRate(byteCount, seconds)}`;
}

/** The pass that a server is in stays as it is. */
async function rememberPass(store: ScrubbingChunkStore, progress: ScrubProgress, signal: AbortSignal): Promise<void> {
  const { startedAtMs, chunkCount, byteCount, damagedCount } = progress;
  const record = (await store.readScrubRecord({ signal })) ?? { sinceMs: startedAtMs };
  const last = { startedAtMs, chunkCount, byteCount, damagedCount, endedAtMs: systemClock.nowMs() };
  await store.writeScrubRecord({ ...record, last }, { signal });
}

function summary(counts: {
  readonly chunkCount: number;
  readonly byteCount: number;
  readonly damaged: number;
  readonly unreadable: number;
  readonly tookMs: number;
}): string {
  const { chunkCount, byteCount, damaged, unreadable, tookMs } = counts;
  const bad = `${damaged} damaged${unreadable === 0 ? "" : `, ${unreadable} unreadable`}`;
  return `checked ${formatCount(chunkCount, "chunk")}, ${formatBytes(byteCount)}, in ${formatDuration(tookMs)}: ${bad}`;
}

/** More of one kind are only counted. */
const LISTED_MAX = 100;

class FoundFaults {
  readonly counts: Record<ScrubFault["kind"], number> = { damaged: 0, unreadable: 0, stray: 0 };
  readonly #listed: ScrubFault[] = [];

  add(fault: ScrubFault): void {
    if (this.counts[fault.kind]++ < LISTED_MAX) this.#listed.push(fault);
  }

  findings(isSingle: boolean): readonly Finding[] {
    const more = Object.entries(this.counts).flatMap(([kind, count]): Finding[] => {
      if (count <= LISTED_MAX) return [];
      return [{ level: kind === "stray" ? "warning" : "broken", what: `and ${count - LISTED_MAX} more: ${kind}` }];
    });
    return [...this.#listed.map((fault) => faultFinding(fault, isSingle)), ...more];
  }
}

function faultFinding({ kind, chunkId, path = "", problem }: ScrubFault, isSingle: boolean): Finding {
  const name = chunkId === undefined ? path : `chunk ${encodeHex(chunkId)}`;
  if (kind === "stray") {
    return {
      level: "warning",
      what: `${name}: ${problem}`,
      why: "nobody reads it; if it is a chunk that somebody moved, its copy is missing where it belongs",
      action: "see what it is; move it to where it belongs, or away",
    };
  }
  if (kind === "unreadable") {
    return {
      level: "broken",
      what: `${name}: ${problem}`,
      why: "the disk does not give the file back; it was left where it is",
      action: "see in the system's log what the disk says, and copy the folder to another one while it can be read",
    };
  }
  return {
    level: "broken",
    what: `${name} is damaged, and was put aside: ${problem}`,
    why: isSingle
      ? "this store has no other copy of it"
      : "a cluster reads another copy; the node tells the cluster, and repair makes this one again",
    action: isSingle
      ? "put the objects that are named below again, or restore them from a backup; examine the disk"
      : "start the node if it does not run, and examine the disk",
  };
}

const DISK_FAILS: Finding = {
  level: "broken",
  what: "several files in a row could not be read: the check has stopped, and put none of them aside",
  why: "the disk, its cable or its controller fails, and the files may be sound",
  action: "see in the system's log what the disk says; check again when it can be read: ashlar scrub",
};

async function hurtObjects({ signal, output }: Call, path: string): Promise<readonly Finding[]> {
  const findings = await findRowProblems({ place: { path }, signal, onProgress: (text) => output.note(text) });
  return findings.filter(({ level }) => level === "broken");
}
