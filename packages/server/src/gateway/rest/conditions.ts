import { AshlarError } from "@ashlar/sdk/errors";
import type { ObjectInfo, WriteCondition } from "@ashlar/sdk/ports";
import { namesEntityTag } from "../../http/entity-tag.ts";

const ONE_TAG = /^(W\/)?"([^"]*)"$/;

/** What the conditions of a read say; RFC 9110 §13.2.2 gives the order. */
export type ReadVerdict = "proceed" | "not-modified" | "failed";

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

/** Whether the range of a request applies: always, unless `if-range` names another state of the object. */
export function rangeApplies(header: Headers, info: ObjectInfo): boolean {
  const ifRange = header.get("if-range");
  if (ifRange === null) return true;
  if (ifRange.includes('"')) return namesEntityTag(ifRange, info.etag, { weak: false });
  return isLaterThan(info, ifRange) === false;
}

/** Whether an object is newer than a date, in the whole seconds of HTTP dates; `undefined` if there is no valid date. */
function isLaterThan(info: ObjectInfo, date: string | null): boolean | undefined {
  const dateMs = date === null ? Number.NaN : Date.parse(date);
  return Number.isNaN(dateMs) ? undefined : Math.floor(info.createdAtMs / 1000) * 1000 > dateMs;
}

/**
 * The condition of a write: one etag or `*` in `if-match` and `if-none-match`.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for lists and unquoted tags; PRECONDITION_FAILED for a weak tag in `if-match`, which never matches.
 */
export function writeCondition(header: Headers): WriteCondition | undefined {
  const ifMatch = tagOf(header, "if-match");
  const ifNoneMatch = tagOf(header, "if-none-match");
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  if (ifMatch?.weak === true) throw new AshlarError("PRECONDITION_FAILED", "a weak etag matches nothing in if-match");
  return { ifMatch: ifMatch?.tag, ifNoneMatch: ifNoneMatch?.tag };
}

function tagOf(header: Headers, name: string): { readonly tag: string; readonly weak: boolean } | undefined {
  const value = header.get(name)?.trim();
  if (value === undefined) return undefined;
  if (value === "*") return { tag: value, weak: false };
  const match = ONE_TAG.exec(value);
  if (match?.[2] === undefined) {
    throw new AshlarError("INVALID_ARGUMENT", `${name} of a write is one quoted etag or *`, {
      details: { header: name },
    });
  }
  return { tag: match[2], weak: match[1] !== undefined };
}
