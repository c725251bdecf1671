import { LIMITS, type ObjectClient } from "@ashlar/sdk";
import { formatBytes, formatCount } from "../observability/format.ts";
import type { CliIo } from "./cli-io.ts";

/** Part of a bucket, and the client to reach it with. */
export interface ContentsOptions {
  readonly client: ObjectClient;
  readonly bucket: string;
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number | undefined;
}

/** How much there is in it. */
export interface Contents {
  readonly objectCount: number;
  readonly sizeBytes: number;
  /** There is more: counting stopped early. */
  readonly isMore: boolean;
}

/** Enough for the question to the user: counting millions would take too long. */
const COUNT_MAX = 10_000;

/** Counts objects, up to ten thousand. */
export async function countContents(options: ContentsOptions): Promise<Contents> {
  const { client, bucket, prefix, signal, timeoutMs } = options;
  let [objectCount, sizeBytes] = [0, 0];
  for await (const entry of client.listObjects({ bucket, prefix, signal, timeoutMs })) {
    if (entry.type !== "object") continue;
    if (objectCount === COUNT_MAX) return { objectCount, sizeBytes, isMore: true };
    objectCount++;
    sizeBytes += entry.sizeBytes;
  }
  return { objectCount, sizeBytes, isMore: false };
}

/** `12 objects (3.0 MiB)`, or `more than 10000 objects`. */
export function describeContents({ objectCount, sizeBytes, isMore }: Contents): string {
  return isMore
    ? `more than ${objectCount} objects`
    : `${formatCount(objectCount, "object")} (${formatBytes(sizeBytes)})`;
}

/** Deletes objects page by page. @param onDeleted called with the number deleted so far. @returns the number deleted. */
export async function removeObjects(options: ContentsOptions, onDeleted?: (count: number) => void): Promise<number> {
  const { client, bucket, prefix, signal, timeoutMs } = options;
  let deletedCount = 0;
  let cursor: string | undefined;
  do {
    const page = await client.listObjectsPage({ bucket, prefix, cursor, limit: LIMITS.DELETE_MANY_MAX, signal });
    const keys = page.objects.map((entry) => entry.key);
    const outcomes = keys.length === 0 ? [] : await client.deleteObjects({ bucket, keys, signal, timeoutMs });
    for (const { error } of outcomes) if (error !== undefined) throw error;
    deletedCount += outcomes.filter((outcome) => outcome.deleted).length;
    onDeleted?.(deletedCount);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return deletedCount;
}

/** Counts unfinished uploads of keys that begin with the prefix. */
export async function countUploads({ client, bucket, prefix, signal, timeoutMs }: ContentsOptions): Promise<number> {
  let count = 0;
  for await (const _ of client.listUploads({ bucket, prefix, signal, timeoutMs })) count++;
  return count;
}

/** Aborts the unfinished uploads of keys that begin with a prefix. @returns how many there were. */
export async function abortUploads(options: ContentsOptions): Promise<number> {
  const { client, bucket, prefix, signal, timeoutMs } = options;
  let abortedCount = 0;
  for await (const { uploadId } of client.listUploads({ bucket, prefix, signal, timeoutMs })) {
    await client.abortUpload({ uploadId, signal, timeoutMs });
    abortedCount++;
  }
  return abortedCount;
}

/** Shows on a terminal how many are deleted so far; elsewhere nothing. */
export function showDeleted(stderr: CliIo["stderr"], shown: boolean): { show(count: number): void; end(): void } {
  const isShown = shown && stderr.isTTY === true;
  return {
    show: (count) => {
      if (isShown) stderr.write(`\rdeleted ${formatCount(count, "object")}\x1b[K`);
    },
    end: () => {
      if (isShown) stderr.write("\r\x1b[K");
    },
  };
}
