import { AshlarError } from "@ashlar/sdk/errors";
import type { ObjectInfo, WriteCondition } from "@ashlar/sdk/ports";
import { namesEntityTag, parseEntityTags } from "../../http/entity-tag.ts";
import { parseHttpDate } from "../../http/http-date.ts";

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
 * One tag and `*` are for the commit to judge. Lists and dates are judged here against the current version, and the commit then holds on to
 * exactly that version, so that nobody writes in between unseen.
 *
 * @param current the object as it is; asked for only where that is needed.
 * @throws {AshlarError} INVALID_ARGUMENT for values that are neither etags nor `*`; PRECONDITION_FAILED where the current version does not match.
 */
export async function writeCondition(
  header: Headers,
  current: () => Promise<ObjectInfo | undefined>,
): Promise<WriteCondition | undefined> {
  const ifMatch = header.get("if-match");
  const ifNoneMatch = header.get("if-none-match");
  const since = ifMatch === null ? header.get("if-unmodified-since") : null;
  const wanted = ifMatch === null ? await unmodifiedSince(since, current) : await matching(ifMatch, current);
  const unwanted = ifNoneMatch === null ? undefined : await noneMatching(ifNoneMatch, current);
  if (wanted === undefined || unwanted === undefined) return wanted ?? unwanted;
  if (unwanted.ifMatch === undefined || wanted.ifMatch === "*") return { ...wanted, ...unwanted };
  if (unwanted.ifMatch !== wanted.ifMatch) throw failed("if-match");
  return wanted;
}

async function unmodifiedSince(
  date: string | null,
  current: () => Promise<ObjectInfo | undefined>,
): Promise<WriteCondition | undefined> {
  if (date === null || parseHttpDate(date) === undefined) return undefined;
  const info = await current();
  // What is not there has no date, and the condition is ignored.
  if (info === undefined) return undefined;
  if (isLaterThan(info, date) === true) throw failed("if-unmodified-since", info);
  return { ifMatch: info.etag };
}

async function matching(
  value: string,
  current: () => Promise<ObjectInfo | undefined>,
): Promise<WriteCondition | undefined> {
  const tags = tagsOf("if-match", value);
  if (tags === "*") return { ifMatch: "*" };
  // A weak tag never matches, and the star in quotes is a tag like any other, which no object has.
  const strong = tags.filter(({ tag, weak }) => !weak && tag !== "*" && tag !== "");
  const [only] = strong;
  if (only === undefined) throw failed("if-match");
  if (strong.length === 1) return { ifMatch: only.tag };
  const info = await current();
  if (info === undefined || !strong.some(({ tag }) => tag === info.etag)) throw failed("if-match", info);
  return { ifMatch: info.etag };
}

async function noneMatching(
  value: string,
  current: () => Promise<ObjectInfo | undefined>,
): Promise<WriteCondition | undefined> {
  const tags = tagsOf("if-none-match", value);
  if (tags === "*") return { ifNoneMatch: "*" };
  const named = tags.filter(({ tag }) => tag !== "*" && tag !== "");
  const [only] = named;
  if (only === undefined) return undefined;
  if (named.length === 1) return { ifNoneMatch: only.tag };
  const info = await current();
  if (info === undefined) return { ifNoneMatch: "*" };
  if (named.some(({ tag }) => tag === info.etag)) throw failed("if-none-match", info);
  return { ifMatch: info.etag };
}

function tagsOf(name: string, value: string): Exclude<ReturnType<typeof parseEntityTags>, undefined> {
  const tags = parseEntityTags(value);
  if (tags !== undefined) return tags;
  throw new AshlarError("INVALID_ARGUMENT", `${name} is a list of quoted etags, or *`, { details: { header: name } });
}

function failed(header: string, info?: ObjectInfo): AshlarError {
  const details = info === undefined ? { header } : { header, etag: info.etag };
  return new AshlarError("PRECONDITION_FAILED", `the object is not in a state that ${header} allows`, { details });
}
