import { countOf, type FolderContents } from "../browse/folder-contents.ts";

/** How much of a folder was listed. */
export interface LookedAt {
  readonly contents: FolderContents;
  /** False before its first page has come. */
  readonly isListed: boolean;
  /** Of the request for more. `idle` and not all of it: no more is requested. */
  readonly state: "idle" | "loading" | "failed";
}

const REST: Readonly<Record<LookedAt["state"], string>> = {
  idle: "No more are looked at.",
  loading: "Looking at the rest …",
  failed: "The rest could not be looked at.",
};

/** The text in place of rows, if there are none. It says nothing about entries that were not listed. @param search the searched text, or empty. */
export function wordsForNone(search: string, { contents, isListed, state }: LookedAt): string {
  if (!isListed) return "Looking …";
  if (search === "") return "Nothing here yet. What you upload appears here.";
  if (contents.nextCursor === undefined) return `No name here has “${search}” in it.`;
  return `No name among the first ${countOf(contents)} has “${search}” in it. ${REST[state]}`;
}

/** The text below rows that were searched or sorted. */
export function wordsBelow({ contents, state }: LookedAt): string {
  return contents.nextCursor === undefined ? "" : `Only of the first ${countOf(contents)}. ${REST[state]}`;
}
