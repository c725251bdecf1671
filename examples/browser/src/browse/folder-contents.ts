import type { FolderPage } from "./folder.ts";

/** The part of a folder that was listed: its first pages, or, without a cursor, all of it. */
export type FolderContents = FolderPage;

/** The most entries that are searched and sorted: more would keep a phone busy, and nobody reads them. */
export const ARRANGED_MAX = 10_000;

export const NO_CONTENTS: FolderContents = { folders: [], objects: [] };

export const countOf = ({ folders, objects }: FolderContents): number => folders.length + objects.length;

/**
 * Lists a folder page by page.
 *
 * @param options.after what was listed already; default: from the start.
 * @param options.untilCount pages are added until there are this many entries, or all.
 */
export async function listUntil(
  list: (cursor?: string) => Promise<FolderPage>,
  options: { readonly after?: FolderContents | undefined; readonly untilCount: number },
): Promise<FolderContents> {
  const { after, untilCount } = options;
  let { folders, objects, nextCursor } = after ?? NO_CONTENTS;
  for (let isFirst = after === undefined; isFirst || nextCursor !== undefined; isFirst = false) {
    if (!isFirst && folders.length + objects.length >= untilCount) break;
    const page = await list(nextCursor);
    folders = [...folders, ...page.folders];
    objects = [...objects, ...page.objects];
    nextCursor = page.nextCursor;
  }
  return { folders, objects, nextCursor };
}
