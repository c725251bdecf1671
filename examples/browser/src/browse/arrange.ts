import type { ObjectListEntry } from "@ashlar/sdk";
import type { FolderPage } from "./folder.ts";

/** How a folder is searched and sorted. */
export interface FolderView {
  /** Only names that have this text in them, in any case; empty: all. */
  readonly search: string;
  readonly order: SortOrder;
}

export type SortOrder = "name" | "newest" | "largest";

/** One row of a folder. */
export type FolderEntry =
  | { readonly kind: "folder"; readonly name: string; readonly prefix: string }
  | { readonly kind: "object"; readonly name: string; readonly object: ObjectListEntry };

const COMPARE: Readonly<Record<SortOrder, ((a: ObjectListEntry, b: ObjectListEntry) => number) | undefined>> = {
  // The store's own order.
  name: undefined,
  newest: (a, b) => b.createdAtMs - a.createdAtMs,
  largest: (a, b) => b.sizeBytes - a.sizeBytes,
};

/** The rows to show: folders first, in the store's order, then the objects. */
export function arrange(
  { folders, objects }: Pick<FolderPage, "folders" | "objects">,
  prefix: string,
  { search, order }: FolderView,
): readonly FolderEntry[] {
  const wanted = search.toLowerCase();
  const compare = COMPARE[order];
  const rows: readonly FolderEntry[] = [
    ...folders.map((folder) => ({ kind: "folder" as const, name: folder.slice(prefix.length), prefix: folder })),
    ...(compare === undefined ? objects : objects.toSorted(compare)).map((object) => ({
      ...{ kind: "object" as const, name: object.key.slice(prefix.length), object },
    })),
  ];
  return wanted === "" ? rows : rows.filter(({ name }) => name.toLowerCase().includes(wanted));
}
