import { MIB } from "../byte-units.ts";
import { AshlarError } from "../errors/index.ts";
import { DIGEST_BYTES, type Digest, isDigestHex } from "../hash/digest.ts";
import { checkedUrl } from "../internal/checked-url.ts";
import * as LIMITS from "../limit-values.ts";
import { checkChunks } from "../manifest/check-chunks.ts";
import type { LayoutAdvance } from "./chunk-locations.ts";
import type { CredentialScope } from "./credentials.ts";
import { DURABILITIES, type Durability } from "./durability.ts";
import type { MissedCopy } from "./metadata-store.ts";
import { assertBucketName, assertObjectKey, isWellFormedText, utf8Length } from "./names.ts";
import type { NodeRegistration, NodeStats } from "./nodes.ts";
import type { ChunkedContent, CommitCondition, CommitObject, HttpCondition, ListObjectsQuery } from "./objects.ts";

/** An id or etag: printable ASCII without blanks and quotes. An unknown id is not malformed. */
const OPAQUE = /^[\x21\x23-\x7e]{1,200}$/;
/** The shortest is 128 random bits in base64url. A call of several operations adds a dot and a suffix for each. */
const OPERATION_ID = /^[A-Za-z0-9._-]{22,80}$/;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const TEXT_MAX_BYTES = 1024;
/** The most that a row takes; the engine's limit for inline content (INLINE_MAX_BYTES or an option) is far below. */
const INLINE_HARD_MAX_BYTES = MIB;

/** @throws {AshlarError} INVALID_ARGUMENT, always. */
export function invalid(message: string): never {
  throw new AshlarError("INVALID_ARGUMENT", message);
}

/** Ids that a store made: upload, manifest, object version, key id, repair id; etags too. */
export function checkOpaque(value: unknown, what: string): void {
  if (typeof value !== "string" || !OPAQUE.test(value))
    invalid(`${what} is 1 to 200 printable ASCII characters, no blanks and no quotes`);
}

/** The operation id that a caller gave to a write. */
export function checkOperationId(value: unknown): void {
  if (value !== undefined && (typeof value !== "string" || !OPERATION_ID.test(value)))
    invalid("an operation id is 22 to 80 of [A-Za-z0-9._-]");
}

/** An integer within bounds. */
export function checkInteger(
  value: unknown,
  what: string,
  bounds: { readonly min: number; readonly max?: number },
): void {
  const max = bounds.max ?? Number.MAX_SAFE_INTEGER;
  if (!Number.isSafeInteger(value) || (value as number) < bounds.min || (value as number) > max) {
    invalid(`${what} is an integer from ${bounds.min} to ${max}`);
  }
}

/** A page size; fills in the default. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return LIMITS.LIST_LIMIT_DEFAULT;
  checkInteger(limit, "limit", { min: 1, max: LIMITS.LIST_LIMIT_MAX });
  return limit;
}

/** The bucket and the key of an object. */
export function checkObjectName(bucket: string, key: string): void {
  assertBucketName(bucket);
  assertObjectKey(key);
}

/** Text of at most 1,024 bytes with any characters except NUL, if it has a UTF-8 form. */
export function checkText(value: unknown, what: string, minLength = 0): void {
  if (typeof value !== "string" || value.length < minLength || !isWellFormedText(value) || value.includes("\0")) {
    invalid(`${what} is well-formed text`);
  }
  if (utf8Length(value) > TEXT_MAX_BYTES) invalid(`${what} has at most ${TEXT_MAX_BYTES} bytes`);
}

/** A prefix, delimiter or start of a listing. It may contain NUL, as keys may, and may be up to four times as long as the longest key. */
export function checkKeyText(value: unknown, what: string): void {
  if (value === undefined) return;
  if (typeof value !== "string" || !isWellFormedText(value)) invalid(`${what} is well-formed text`);
  if (utf8Length(value) > 4 * LIMITS.KEY_MAX_BYTES) invalid(`${what} is longer than any key`);
}

/** What a credential reaches: a bucket, and the start of its keys. */
export function checkScope({ bucket, prefix }: CredentialScope): void {
  assertBucketName(bucket);
  if (prefix !== "") assertObjectKey(prefix);
}

export function checkListQuery(query: Omit<ListObjectsQuery, "limit">): void {
  assertBucketName(query.bucket);
  checkKeyText(query.prefix, "prefix");
  checkKeyText(query.delimiter, "delimiter");
  checkKeyText(query.startAfter, "startAfter");
  if (query.delimiter === "") invalid("a delimiter is not empty");
  if (query.cursor !== undefined && (typeof query.cursor !== "string" || query.cursor === ""))
    invalid("a cursor is text from the page before");
}

export function checkCondition(condition: CommitCondition | undefined): void {
  if (condition === undefined) return;
  const { ifMatch, ifNoneMatch } = condition;
  if (ifMatch !== undefined) checkOpaque(ifMatch, "ifMatch");
  if (ifNoneMatch !== undefined) checkOpaque(ifNoneMatch, "ifNoneMatch");
  const { ifMatchAny, ifNoneMatchAny, ifUnmodifiedSinceMs } = condition as HttpCondition;
  checkTags(ifMatchAny, "ifMatchAny");
  checkTags(ifNoneMatchAny, "ifNoneMatchAny");
  if (ifUnmodifiedSinceMs !== undefined)
    checkInteger(ifUnmodifiedSinceMs, "ifUnmodifiedSinceMs", { min: Number.MIN_SAFE_INTEGER });
  // Code that knows single etags only would silently ignore the lists and the date.
  if ((ifMatch ?? ifNoneMatch) !== undefined && (ifMatchAny ?? ifNoneMatchAny ?? ifUnmodifiedSinceMs) !== undefined)
    invalid("a condition has single etags, or lists and a date");
}

/** HTTP clients may send etags that no store of ours can have made: these match nothing and are no error. */
function checkTags(tags: unknown, what: string): void {
  if (tags === undefined) return;
  const isList = Array.isArray(tags) && tags.length > 0 && tags.every((tag) => typeof tag === "string" && tag !== "");
  if (!isList) invalid(`${what} is a list of etags, not an empty one`);
}

export function checkDurability(durability: Durability): void {
  if (!DURABILITIES.includes(durability)) invalid(`durability is one of ${DURABILITIES.join(", ")}`);
}

export function checkSha256(sha256: string | undefined): void {
  if (sha256 !== undefined && !isDigestHex(sha256)) invalid("sha256 is 64 characters of lower-case hex");
}

/** A declared SHA-256 in lower case. @throws {AshlarError} INVALID_ARGUMENT unless it is 64 characters of hex. */
export function normalizeDeclaredDigest(declaredHex: string | undefined): string | undefined {
  if (declaredHex === undefined) return undefined;
  const lower = typeof declaredHex === "string" ? declaredHex.toLowerCase() : "";
  if (isDigestHex(lower)) return lower;
  throw new AshlarError("INVALID_ARGUMENT", "sha256 is the SHA-256 of the body in 64 characters of hex");
}

/** @throws {AshlarError} INVALID_PART if no part is named, a number is not from 1 to PART_NUMBER_MAX, or the numbers do not ascend. */
export function checkNamedParts(parts: unknown): void {
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new AshlarError("INVALID_PART", "an upload is completed with at least one part");
  }
  const max = LIMITS.PART_NUMBER_MAX;
  let last = 0;
  for (const part of parts) {
    const { partNumber, etag } = part ?? {};
    const isNumber = Number.isSafeInteger(partNumber) && partNumber > last && partNumber <= max;
    if (!isNumber || typeof etag !== "string") {
      const rule = `parts are named once each, by ascending numbers from 1 to ${max}`;
      throw new AshlarError("INVALID_PART", rule, { details: { partNumber: String(partNumber) } });
    }
    last = partNumber;
  }
}

export function checkDigests(chunkIds: readonly Digest[]): void {
  for (const chunkId of chunkIds) {
    if (!(chunkId instanceof Uint8Array) || chunkId.byteLength !== DIGEST_BYTES) invalid("a chunk id has 32 bytes");
  }
}

/** @throws {AshlarError} INVALID_ARGUMENT. */
export function checkDamagedChunkIds(chunkIds: readonly Digest[]): void {
  if (chunkIds.length > LIMITS.DAMAGED_TOLD_MAX)
    invalid(`one heartbeat tells of up to ${LIMITS.DAMAGED_TOLD_MAX} damaged chunks`);
  checkDigests(chunkIds);
}

/** @throws {AshlarError} INVALID_ARGUMENT. */
export function checkMissedCopies(copies: readonly MissedCopy[]): void {
  if (copies.length > LIMITS.LIST_LIMIT_MAX) invalid(`one call queues up to ${LIMITS.LIST_LIMIT_MAX} copies`);
  checkDigests(copies.map(({ chunkId }) => chunkId));
  for (const { nodeId, layoutVersions } of copies) {
    checkNodeId(nodeId);
    for (const layoutVersion of layoutVersions) checkInteger(layoutVersion, "layoutVersion", { min: 0 });
  }
}

/** @throws {AshlarError} INVALID_ARGUMENT. */
export function checkLayoutAdvance({ layoutVersion, chunks }: LayoutAdvance): void {
  if (chunks.length > LIMITS.LIST_LIMIT_MAX) invalid(`one call moves up to ${LIMITS.LIST_LIMIT_MAX} chunks`);
  checkDigests(chunks.map(({ chunkId }) => chunkId));
  checkInteger(layoutVersion, "layoutVersion", { min: 1 });
  for (const chunk of chunks) checkInteger(chunk.layoutVersion, "layoutVersion", { min: 1, max: layoutVersion - 1 });
}

export function checkChunkedContent(content: ChunkedContent, sizeBytes: number): void {
  if (!Array.isArray(content.chunks)) invalid("content is inline bytes or a list of chunks");
  const [problem] = checkChunks(content.chunks, sizeBytes);
  if (problem !== undefined) invalid(problem);
  for (const { layoutVersion = 0, missedNodeIds = [], standInNodeIds = [] } of content.chunks) {
    checkInteger(layoutVersion, "layoutVersion", { min: 0 });
    for (const nodeId of [...missedNodeIds, ...standInNodeIds]) checkNodeId(nodeId);
    if (standInNodeIds.length > missedNodeIds.length)
      invalid("each stand-in holds the copy of one node that was missed");
  }
}

export function checkCommit(commit: CommitObject): void {
  checkObjectName(commit.bucket, commit.key);
  checkInteger(commit.sizeBytes, "sizeBytes", { min: 0 });
  if (commit.sizeBytes > LIMITS.OBJECT_MAX_BYTES) {
    throw new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES} bytes`);
  }
  checkOpaque(commit.etag, "etag");
  checkSha256(commit.sha256);
  checkDurability(commit.durability);
  checkCondition(commit.condition);
  const content = commit.content;
  if (!("inline" in content)) {
    checkChunkedContent(content, commit.sizeBytes);
    return;
  }
  if (!(content.inline instanceof Uint8Array)) invalid("inline content is a Uint8Array");
  if (content.inline.byteLength !== commit.sizeBytes) invalid("sizeBytes is not the length of the inline content");
  if (commit.sizeBytes > INLINE_HARD_MAX_BYTES) {
    throw new AshlarError("OBJECT_TOO_LARGE", `inline content has at most ${INLINE_HARD_MAX_BYTES} bytes`);
  }
}

export function checkNodeId(nodeId: string): void {
  if (typeof nodeId !== "string" || !NAME.test(nodeId)) invalid("a node id is 1 to 64 of [A-Za-z0-9._-]");
}

function checkZone(zone: string): void {
  if (typeof zone !== "string" || !NAME.test(zone)) invalid("a zone is 1 to 64 of [A-Za-z0-9._-]");
}

/** Also the limit of RegisterNode. It bounds the number of virtual nodes of one node. */
const WEIGHT_MAX = 100;

export function checkWeight(weight: number, nodeId: string): void {
  if (!(Number.isFinite(weight) && weight >= 0 && weight <= WEIGHT_MAX))
    invalid(`the weight of ${nodeId} is a number from 0 to ${WEIGHT_MAX}, not ${weight}`);
}

export function checkRegistration(registration: NodeRegistration): void {
  checkNodeId(registration.nodeId);
  checkText(registration.url, "url", 1);
  // A URL that no transport can open is refused here, to the one node. Later it would fail for everybody who reads the list of nodes.
  checkedUrl(registration.url);
  if (/\s|\/$/.test(registration.url)) invalid("a node's url has no blanks and no slash at its end");
  if (registration.zone !== undefined) checkZone(registration.zone);
  if (registration.weight !== undefined) checkWeight(registration.weight, registration.nodeId);
  checkText(registration.softwareVersion, "softwareVersion");
  if (registration.folderId !== undefined) checkFolderId(registration.folderId);
  if (registration.chunkCount !== undefined) checkInteger(registration.chunkCount, "chunkCount", { min: 0 });
}

function checkFolderId(folderId: string): void {
  if (typeof folderId !== "string" || !NAME.test(folderId)) invalid("a folder id is 1 to 64 of [A-Za-z0-9._-]");
}

export function checkStats(stats: NodeStats): void {
  for (const name of ["chunkCount", "bytesUsed", "bytesFree", "bytesTotal"] as const) {
    checkInteger(stats[name], name, { min: 0 });
  }
}
