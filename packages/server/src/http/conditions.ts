/** Conditional requests (RFC 9110 §13), the same for all that is served. */
import { AshlarError } from "@ashlar/sdk/errors";
import type { CommitCondition } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import { parseHttpDate } from "./http-date.ts";

/** What the conditions of a read say; RFC 9110 §13.2.2 gives the order. */
export type ReadVerdict = "proceed" | "not-modified" | "failed";

const SECOND_MS = 1000;

/** The state of what is read. */
export interface Validators {
  /** Without quotes. */
  readonly etag: string;
  /** When it got this state; absent: it never had another. */
  readonly createdAtMs?: number | undefined;
}

/** Judges the conditional headers of a GET or HEAD. */
export function judgeRead(header: Headers, info: Validators): ReadVerdict {
  const ifMatch = header.get("if-match");
  const ifNoneMatch = header.get("if-none-match");
  if (ifMatch !== null) {
    if (!namesEntityTag(ifMatch, info.etag, { weak: false })) return "failed";
  } else if (isLaterThan(info, header.get("if-unmodified-since")) === true) return "failed";
  if (ifNoneMatch !== null) return namesEntityTag(ifNoneMatch, info.etag, { weak: true }) ? "not-modified" : "proceed";
  return isLaterThan(info, header.get("if-modified-since")) === false ? "not-modified" : "proceed";
}

/**
 * Whether the range of a request applies: always, unless `if-range` names another state of the object (RFC 9110 §13.1.5).
 *
 * Only an exact match of a strong validator counts: the etag, or exactly the date of `last-modified` once that second is over (until then another
 * write could get the same date, §8.8.2.2). Lists, weak tags and anything else give the whole object.
 */
export function rangeApplies(header: Headers, info: Validators, nowMs: number): boolean {
  const ifRange = header.get("if-range")?.trim();
  if (ifRange === undefined) return true;
  if (ifRange.includes('"')) return ifRange === `"${info.etag}"`;
  const modifiedMs = modifiedAtMs(info);
  if (modifiedMs === undefined) return false;
  return parseHttpDate(ifRange) === modifiedMs && nowMs >= modifiedMs + SECOND_MS;
}

/** What `last-modified` says: whole seconds. */
function modifiedAtMs({ createdAtMs }: Validators): number | undefined {
  return createdAtMs === undefined ? undefined : Math.floor(createdAtMs / SECOND_MS) * SECOND_MS;
}

/** Whether the state is newer than `date`; `undefined` if there is no valid date, or the state has none. */
function isLaterThan(info: Validators, date: string | null): boolean | undefined {
  const dateMs = date === null ? undefined : parseHttpDate(date);
  const modifiedMs = modifiedAtMs(info);
  return dateMs === undefined || modifiedMs === undefined ? undefined : modifiedMs > dateMs;
}

/**
 * The condition of a write (PUT, DELETE), from `if-match`, `if-none-match` and `if-unmodified-since`, by RFC 9110 §13.2.2.
 *
 * Only reads what the caller said; the transaction of the write judges the condition. Judged here, it would be compared with what an earlier try
 * of the same write left, and others could write in between.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for values that are neither etags nor `*`, and for more than CONDITION_ETAGS_MAX; PRECONDITION_FAILED
 *   where no object can match.
 */
export function writeCondition(header: Headers): CommitCondition | undefined {
  const ifMatchAny = tagsOf(header, "if-match");
  const ifNoneMatchAny = tagsOf(header, "if-none-match");
  const date = ifMatchAny === undefined ? header.get("if-unmodified-since") : null;
  const ifUnmodifiedSinceMs = date === null ? undefined : parseHttpDate(date);
  if (ifMatchAny?.length === 0) {
    const details = { header: "if-match" };
    throw new AshlarError("PRECONDITION_FAILED", "no object is in a state that if-match allows", { details });
  }
  const [ifMatch, ...orMatch] = ifMatchAny ?? [];
  const [ifNoneMatch, ...orNoneMatch] = ifNoneMatchAny ?? [];
  if (ifUnmodifiedSinceMs !== undefined || orMatch.length > 0 || orNoneMatch.length > 0)
    return { ifMatchAny, ifNoneMatchAny: ifNoneMatch === undefined ? undefined : ifNoneMatchAny, ifUnmodifiedSinceMs };
  return ifMatch === undefined && ifNoneMatch === undefined ? undefined : { ifMatch, ifNoneMatch };
}

/** The tags that an object can have, each once; weak ones only where the comparison is weak (RFC 9110 §13.1.1, §13.1.2). */
function tagsOf(header: Headers, name: "if-match" | "if-none-match"): readonly string[] | undefined {
  const value = header.get(name);
  if (value === null) return undefined;
  const details = { header: name };
  const tags = parseEntityTags(value);
  if (tags === undefined)
    throw new AshlarError("INVALID_ARGUMENT", `${name} is a list of quoted etags, or *`, { details });
  if (tags === "*") return [tags];
  // A star in quotes is an ordinary tag, but no object has it.
  const usable = tags.filter(({ tag, weak }) => tag !== "*" && tag !== "" && (name === "if-none-match" || !weak));
  const distinct = [...new Set(usable.map(({ tag }) => tag))];
  const max = HTTP_LIMITS.CONDITION_ETAGS_MAX.value;
  if (distinct.length <= max) return distinct;
  throw new AshlarError("INVALID_ARGUMENT", `${name} of a write names at most ${max} etags`, { details });
}

/** One entity tag as a header names it. */
export interface EntityTag {
  /** Without quotes. */
  readonly tag: string;
  readonly weak: boolean;
}

const TAG = /^(W\/)?"([^"]*)"/;
const SEPARATOR = /^[ \t]*(?:,[ \t]*)+/;

/**
 * Reads the value of `if-match` or `if-none-match` (RFC 9110 §13.1).
 *
 * @returns the tags in order, `"*"` for the star, `undefined` for what is neither.
 */
export function parseEntityTags(header: string): readonly EntityTag[] | "*" | undefined {
  let rest = header.trim().replace(/^(?:,[ \t]*)+/, "");
  if (rest === "*") return "*";
  const tags: EntityTag[] = [];
  for (;;) {
    const match = TAG.exec(rest);
    if (match === null) return undefined;
    tags.push({ tag: match[2] ?? "", weak: match[1] !== undefined });
    rest = rest.slice(match[0].length);
    if (rest === "") return tags;
    const separator = SEPARATOR.exec(rest);
    if (separator === null) return undefined;
    rest = rest.slice(separator[0].length);
    if (rest === "") return tags;
  }
}

/**
 * Whether the value of `if-match` or `if-none-match` names this tag.
 *
 * @param header the header's value, `*` included; `null` (no header) and bad syntax match nothing.
 * @param etag without quotes.
 * @param options.weak compare weakly, as if-none-match does: `W/"x"` matches `"x"`.
 */
export function namesEntityTag(header: string | null, etag: string, options: { readonly weak: boolean }): boolean {
  const tags = header === null ? undefined : parseEntityTags(header);
  if (tags === "*") return true;
  return tags?.some(({ tag, weak }) => tag === etag && (options.weak || !weak)) ?? false;
}
