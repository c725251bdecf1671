import { AshlarError } from "@ashlar/sdk/errors";
import type { ListObjectsQuery, ObjectListEntry, ObjectListPage } from "@ashlar/sdk/ports";
import { fromByteText, justAfter, successorOf, toByteText } from "./byte-text.ts";

const CURSOR_FORMAT = 1;
/** Above every key: UTF-8 has no byte 0xFF. */
const END = "\xff";

/** A listing as an interval of keys; all texts are byte texts. */
export interface ListRange {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  /** First key that may appear. */
  readonly lower: string;
  /** First key that may not. */
  readonly upper: string;
  readonly limit: number;
}

/** Resolves prefix, cursor and startAfter. @throws {AshlarError} INVALID_ARGUMENT for a malformed cursor. */
export function resolveListRange(query: ListObjectsQuery): ListRange {
  const prefix = toByteText(query.prefix ?? "");
  const from =
    query.cursor === undefined
      ? query.startAfter
        ? justAfter(toByteText(query.startAfter))
        : ""
      : decodeCursor(query.cursor);
  return {
    prefix,
    delimiter: query.delimiter === undefined ? undefined : toByteText(query.delimiter),
    // biome-ignore lint/complexity/useMathMinMax: these are texts.
    lower: from > prefix ? from : prefix,
    upper: prefix === "" ? END : successorOf(prefix),
    limit: query.limit ?? 1000,
  };
}

/** The common prefix that `key` is rolled into, if the range has a delimiter and the key contains it after the prefix. */
export function commonPrefixOf(range: ListRange, key: string): string | undefined {
  if (range.delimiter === undefined) return undefined;
  const position = key.indexOf(range.delimiter, range.prefix.length);
  return position < 0 ? undefined : key.slice(0, position + range.delimiter.length);
}

/** Where the listing goes on after `key`: past the common prefix that the key is rolled into, or right behind the key. */
export function nextLower(range: ListRange, key: string): string {
  const common = commonPrefixOf(range, key);
  return common === undefined ? justAfter(key) : successorOf(common);
}

/** One step of a listing: a key, and what is known about it (needed where the key is not rolled up). */
export interface ListStep {
  readonly key: string;
  readonly entry: Omit<ObjectListEntry, "key">;
}

/**
 * Makes a page from steps: ascending keys, each at or above `nextLower` of the one before. One step more than the limit shows that
 * there is a next page.
 */
export function pageOf(range: ListRange, steps: readonly ListStep[]): ObjectListPage {
  const objects: ObjectListEntry[] = [];
  const prefixes: string[] = [];
  const shown = steps.slice(0, range.limit);
  for (const { key, entry } of shown) {
    const common = commonPrefixOf(range, key);
    if (common === undefined) objects.push({ key: fromByteText(key), ...entry });
    else prefixes.push(fromByteText(common));
  }
  const last = shown.at(-1);
  if (steps.length <= range.limit || last === undefined) return { objects, prefixes };
  return { objects, prefixes, nextCursor: encodeCursor(nextLower(range, last.key)) };
}

/** A cursor is the lower bound of the next page, behind a format marker. */
export function encodeCursor(lower: string): string {
  return Buffer.from(String.fromCharCode(CURSOR_FORMAT) + lower, "latin1").toString("base64url");
}

/** @throws {AshlarError} INVALID_ARGUMENT. */
export function decodeCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, "base64url");
  // Node's decoder skips what it does not know; only the round trip shows a clean cursor.
  if (bytes[0] !== CURSOR_FORMAT || bytes.byteLength < 2 || bytes.toString("base64url") !== cursor) {
    throw new AshlarError("INVALID_ARGUMENT", "the cursor is not one of this store");
  }
  return bytes.toString("latin1", 1);
}
