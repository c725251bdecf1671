import { createHash } from "node:crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import type { CompleteUpload, WriteOptions } from "@ashlar/sdk/ports";

/** Writes that may be named. */
export type NamedWrite =
  | "createBucket"
  | "deleteBucket"
  | "commitObject"
  | "deleteObject"
  | "copyObject"
  | "createUpload"
  | "putPart"
  | "completeUpload"
  | "abortUpload";

/** Under what the result of a write is kept; plain data. */
export interface OperationName {
  /** Digest of the credential and what it named; what a row costs does not depend on what callers choose. */
  readonly key: string;
  /** Digest of the request. */
  readonly fingerprint: string;
  /** Whether the caller chose it: with another request it is then the caller's mistake. Otherwise it names an upload, which others may have completed. */
  readonly chosen: boolean;
}

/** 144 bits: a caller could only make its own names collide, and not even that. */
const DIGEST_CHARACTERS = 24;

function digestOf(...texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("base64url").slice(0, DIGEST_CHARACTERS);
}

/**
 * The names of a write: the caller's operation id, if it gave one, and of a completed upload the upload itself, so that an app which completes
 * it once more finds the result.
 */
export function namesOf(
  operation: NamedWrite,
  input: unknown,
  { operationId, credential = "" }: WriteOptions = {},
): readonly OperationName[] {
  const names: OperationName[] = [];
  if (operationId === undefined && operation !== "completeUpload") return names;
  const fingerprint = digestOf(operation, JSON.stringify(requestOf(operation, input), ordered));
  if (operationId !== undefined) names.push({ key: digestOf(credential, operationId), fingerprint, chosen: true });
  if (operation === "completeUpload") {
    // No operation id has a blank.
    const key = digestOf(credential, `upload ${(input as CompleteUpload).uploadId}`);
    names.push({ key, fingerprint, chosen: false });
  }
  return names;
}

/** What makes two requests the same: all but where the chunks lie, which another try may find elsewhere. The etag tells the bytes. */
function requestOf(operation: NamedWrite, input: unknown): unknown {
  if (typeof input !== "object" || input === null) return input;
  const { content: _content, ticket: _ticket, ...request } = input as Record<string, unknown>;
  if (operation !== "completeUpload") return request;
  return { ...request, parts: (input as CompleteUpload).parts.map(({ partNumber, etag }) => [partNumber, etag]) };
}

/** Members in one order, whoever built the object. */
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
  names: readonly OperationName[],
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
