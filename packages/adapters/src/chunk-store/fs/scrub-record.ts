import { join } from "node:path";
import { isDigestHex } from "@ashlar/sdk/hash";
import type { ScrubCounts, ScrubProgress, ScrubRecord } from "@ashlar/sdk/ports";
import { readJsonObject, writeDurably } from "../../internal/durable-file.ts";
import type { FileSystem } from "./file-system.ts";

/** At the top of a store's folder: how far the check of its chunks is. A lost or odd file only means that a pass begins anew. */
const FILE = "scrub.json";
const FORMAT = "ashlar-scrub";
const FORMAT_VERSION = 1;

type Json = Readonly<Record<string, unknown>>;

/** See `ScrubbingChunkStore.readScrubRecord`. */
export async function readScrubRecord(fileSystem: FileSystem, root: string): Promise<ScrubRecord | undefined> {
  const found = await readJsonObject(fileSystem, join(root, FILE));
  if (found === undefined || found === "damaged") return undefined;
  const { format, formatVersion, sinceMs, current, last } = found;
  if (format !== FORMAT || formatVersion !== FORMAT_VERSION || !isCount(sinceMs)) return undefined;
  return { sinceMs, current: progressOf(current), last: endedOf(last) };
}

/** See `ScrubbingChunkStore.writeScrubRecord`. @param unique tells temporary files of several writers apart. */
export async function writeScrubRecord(
  fileSystem: FileSystem,
  root: string,
  { record, unique }: { readonly record: ScrubRecord; readonly unique: string },
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, ...record })}\n`;
  await writeDurably(fileSystem, root, { name: FILE, temp: `scrub-${unique}.tmp`, text });
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function countsOf(value: unknown): (ScrubCounts & Json) | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { startedAtMs, chunkCount, byteCount, damagedCount, ...more } = value as Json;
  if (!isCount(startedAtMs) || !isCount(chunkCount) || !isCount(byteCount) || !isCount(damagedCount)) return undefined;
  return { ...more, startedAtMs, chunkCount, byteCount, damagedCount };
}

function progressOf(value: unknown): ScrubProgress | undefined {
  const counts = countsOf(value);
  if (counts === undefined) return undefined;
  const { startedAtMs, chunkCount, byteCount, damagedCount, pageCursor, lastChunkId } = counts;
  if (!isPlace(pageCursor) || !isPlace(lastChunkId)) return undefined;
  return { startedAtMs, chunkCount, byteCount, damagedCount, pageCursor, lastChunkId };
}

const isPlace = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === "string" && isDigestHex(value));

function endedOf(value: unknown): ScrubRecord["last"] {
  const counts = countsOf(value);
  if (counts === undefined || !isCount(counts.endedAtMs)) return undefined;
  const { startedAtMs, chunkCount, byteCount, damagedCount, endedAtMs } = counts;
  return { startedAtMs, chunkCount, byteCount, damagedCount, endedAtMs };
}
