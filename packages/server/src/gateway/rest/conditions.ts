import { AshlarError } from "@ashlar/sdk/errors";
import type { CommitCondition, ObjectInfo } from "@ashlar/sdk/ports";
import { namesEntityTag, parseEntityTags } from "../../http/entity-tag.ts";
import { parseHttpDate } from "../../http/http-date.ts";
import { HTTP_LIMITS } from "../../http/http-limits.ts";

/** What the conditions of a read say; RFC 9110 §13.2.2 gives the order. */
export type ReadVerdict = "proceed" | "not-modified" | "failed";

const SECOND_MS = 1000;

/** Judges the conditional headers of a GET or HEAD. */
export function judgeRead(header: Headers, info: ObjectInfo): ReadVerdict {
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
 * Only an exact match of a strong validator counts: the one etag, or the very date of `last-modified`, once its second is over (before that a
 * second write could bear the same date, §8.8.2.2). Lists, weak tags and anything else give the whole object.
 */
export function rangeApplies(header: Headers, info: ObjectInfo, nowMs: number): boolean {
  const ifRange = header.get("if-range")?.trim();
  if (ifRange === undefined) return true;
  if (ifRange.includes('"')) return ifRange === `"${info.etag}"`;
  const modifiedMs = modifiedAtMs(info);
  return parseHttpDate(ifRange) === modifiedMs && nowMs >= modifiedMs + SECOND_MS;
}

/** What `last-modified` says: whole seconds. */
function modifiedAtMs(info: ObjectInfo): number {
  return Math.floor(info.createdAtMs / SECOND_MS) * SECOND_MS;
}

/** Whether an object is newer than a date; `undefined` if there is no valid date. */
function isLaterThan(info: ObjectInfo, date: string | null): boolean | undefined {
  const dateMs = date === null ? undefined : parseHttpDate(date);
  return dateMs === undefined ? undefined : modifiedAtMs(info) > dateMs;
}

/**
 * The condition of a write (PUT, DELETE), from `if-match`, `if-none-match` and `if-unmodified-since`, by RFC 9110 §13.2.2.
 *
 * It says what the caller said, and the transaction of the write judges it. Judged here, it would be held against what an earlier try of the same
 * write left, and others could write between.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for values that are neither etags nor `*`, and for more than CONDITION_ETAGS_MAX; PRECONDITION_FAILED where no
 *   object can match.
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

/** The tags that an object can have, each once; weak ones are among them where weak comparison is asked for (RFC 9110 §13.1.1, §13.1.2). */
function tagsOf(header: Headers, name: "if-match" | "if-none-match"): readonly string[] | undefined {
  const value = header.get(name);
  if (value === null) return undefined;
  const details = { header: name };
  const tags = parseEntityTags(value);
  if (tags === undefined)
    throw new AshlarError("INVALID_ARGUMENT", `${name} is a list of quoted etags, or *`, { details });
  if (tags === "*") return [tags];
  // The star in quotes is a tag like any other, which no object has.
  const usable = tags.filter(({ tag, weak }) => tag !== "*" && tag !== "" && (name === "if-none-match" || !weak));
  const distinct = [...new Set(usable.map(({ tag }) => tag))];
  const max = HTTP_LIMITS.CONDITION_ETAGS_MAX.value;
  if (distinct.length <= max) return distinct;
  throw new AshlarError("INVALID_ARGUMENT", `${name} of a write names at most ${max} etags`, { details });
}
