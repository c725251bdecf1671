import { createHash } from "node:crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import { type CompleteUpload, type MetadataOperation, rulesOf, type WriteOptions } from "@ashlar/sdk/ports";

/** A name that the result of a write is kept under; plain data. */
export interface WriteName {
  /** Digest of the credential and its operation id or upload: the size of a row does not depend on what callers choose. */
  readonly key: string;
  /** Digest of the request. */
  readonly fingerprint: string;
  /** Whether the caller chose it: then another request under it is the caller's mistake. Else it names an upload, which others may have completed. */
  readonly chosen: boolean;
}

/** 144 bits: a collision would affect only names of one credential, and no caller can make one. */
const DIGEST_CHARACTERS = 24;

function digestOf(...texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("base64url").slice(0, DIGEST_CHARACTERS);
}

/**
 * The names of a write: the caller's operation id, if it gave one. A write that completes an upload is also named by the upload, so that an app that
 * completes it once more finds the result. An operation that may not be named has no names.
 */
export function namesOf(
  operation: MetadataOperation,
  input: unknown,
  { operationId, credential = "" }: WriteOptions = {},
): readonly WriteName[] {
  const { named, sameness } = rulesOf(operation);
  const names: WriteName[] = [];
  if (named !== true || (operationId === undefined && operation !== "completeUpload")) return names;
  const fingerprint = digestOf(operation, JSON.stringify(sameness === undefined ? input : sameness(input), ordered));
  if (operationId !== undefined) names.push({ key: digestOf(credential, operationId), fingerprint, chosen: true });
  if (operation === "completeUpload") {
    // No operation id has a blank.
    const key = digestOf(credential, `upload ${(input as CompleteUpload).uploadId}`);
    names.push({ key, fingerprint, chosen: false });
  }
  return names;
}

/** Sorts the members, so that the order in which the caller built the object does not count. */
function ordered(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is kept of one write. */
export interface FinishedOperation<Result> {
  readonly key: string;
  readonly fingerprint: string;
  readonly result: Result;
}

/**
 * The result that a write left under one of its names.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a name that the caller chose for another request before.
 */
export function findFinished<Result>(
  names: readonly WriteName[],
  finished: readonly FinishedOperation<Result>[],
): FinishedOperation<Result> | undefined {
  for (const name of names) {
    const found = finished.find((each) => each.key === name.key);
    if (found === undefined) continue;
    if (found.fingerprint === name.fingerprint) return found;
    if (name.chosen)
      throw new AshlarError("INVALID_ARGUMENT", "the operation id was used for another request; each call has its own");
  }
  return undefined;
}
