import { AshlarError } from "../errors/index.ts";
import type { CommitCondition, HttpCondition, ObjectInfo } from "./objects.ts";

const SECOND_MS = 1000;

/**
 * Checks a condition against the latest version.
 *
 * @param current the latest version; `undefined` if there is none.
 * @throws {AshlarError} PRECONDITION_FAILED, with `details.condition` and `details.currentEtag`.
 */
export function assertWriteCondition(
  current: Pick<ObjectInfo, "etag" | "createdAtMs"> | undefined,
  condition: CommitCondition | undefined,
): void {
  if (condition === undefined) return;
  const {
    ifMatchAny = listOf(condition.ifMatch),
    ifNoneMatchAny = listOf(condition.ifNoneMatch),
    ifUnmodifiedSinceMs = Number.POSITIVE_INFINITY,
  } = condition as HttpCondition;
  const isNamed = (tags: readonly string[]): boolean =>
    current !== undefined && tags.some((tag) => tag === "*" || tag === current.etag);
  if (ifMatchAny !== undefined && !isNamed(ifMatchAny)) throw failed("ifMatch", current?.etag);
  if (ifNoneMatchAny !== undefined && isNamed(ifNoneMatchAny)) throw failed("ifNoneMatch", current?.etag);
  // The date comes from a `last-modified` header, which has whole seconds only.
  if (current !== undefined && Math.floor(current.createdAtMs / SECOND_MS) * SECOND_MS > ifUnmodifiedSinceMs)
    throw failed("ifUnmodifiedSince", current.etag);
}

const listOf = (tag: string | undefined): readonly string[] | undefined => (tag === undefined ? undefined : [tag]);

function failed(condition: string, currentEtag = ""): AshlarError {
  return new AshlarError("PRECONDITION_FAILED", `${condition} does not hold`, { details: { condition, currentEtag } });
}
