import { countOf, type FolderContents } from "../browse/folder-contents.ts";

/** How far a folder is known. */
export interface LookedAt {
  readonly contents: FolderContents;
  /** False before its first page has come. */
  readonly isListed: boolean;
  /** Of what is asked for. `idle` and not all of it: no more is asked for. */
  readonly state: "idle" | "loading" | "failed";
}

const REST: Readonly<Record<LookedAt["state"], string>> = {
  idle: "No more are looked at.",
  loading: "Looking at the rest …",
  failed: "The rest could not be looked at.",
};

/** In the place of rows, where there are none: no untruth of what was not looked at. @param search what was searched for; empty: nothing. */
export function wordsForNone(search: string, { contents, isListed, state }: LookedAt): string {
  if (!isListed) return "Looking …";
  if (search === "") return "Nothing here yet. What you upload appears here.";
  if (contents.nextCursor === undefined) return `No name here has “${search}” in it.`;
  return `No name among the first ${countOf(contents)} has “${search}” in it. ${REST[state]}`;
}

/** Below rows that were searched or sorted. */
export function wordsBelow({ contents, state }: LookedAt): string {
  return contents.nextCursor === undefined ? "" : `Only of the first ${countOf(contents)}. ${REST[state]}`;
}
