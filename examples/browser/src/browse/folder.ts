import type { ObjectClient, ObjectListEntry } from "@ashlar/sdk";
import { ANSWER_MS } from "../answer-limit.ts";

/** One page of what is directly in a folder. A folder is a prefix that ends with a slash; the store itself knows only keys. */
export interface FolderPage {
  /** Whole prefixes, each with its slash. */
  readonly folders: readonly string[];
  readonly objects: readonly ObjectListEntry[];
  /** For the next page; absent at the end. */
  readonly nextCursor?: string | undefined;
}

/** Entries of a page. */
const PAGE_ENTRIES = 100;
/** Time limit for a page of up to a thousand deletes. */
const DELETES_MS = 60_000;

export async function listFolder(
  client: ObjectClient,
  where: { readonly bucket: string; readonly prefix: string; readonly cursor?: string | undefined },
): Promise<FolderPage> {
  const { prefixes, objects, nextCursor } = await client.listObjectsPage({
    ...where,
    delimiter: "/",
    limit: PAGE_ENTRIES,
    timeoutMs: ANSWER_MS,
  });
  return { folders: prefixes, objects, nextCursor };
}

/**
 * Deletes everything below a prefix. What is written there meanwhile may stay.
 *
 * @returns how many objects there were.
 * @throws the first failure, after all have been tried.
 */
export async function deleteFolder(client: ObjectClient, bucket: string, prefix: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    const { objects } = await client.listObjectsPage({ bucket, prefix, timeoutMs: ANSWER_MS });
    if (objects.length === 0) return deleted;
    const keys = objects.map(({ key }) => key);
    const outcomes = await client.deleteObjects({ bucket, keys, timeoutMs: DELETES_MS });
    const failed = outcomes.find(({ error }) => error !== undefined);
    if (failed?.error !== undefined) throw failed.error;
    deleted += outcomes.length;
  }
}
