import { AshlarError } from "../errors/index.ts";
import * as LIMITS from "../limit-values.ts";
import * as check from "../ports/metadata-checks.ts";
import { normalizeDeclaredDigest } from "../ports/metadata-checks.ts";
import { assertBucketName, assertObjectKey, normalizeAttributes } from "../ports/names.ts";
import { attributesOf } from "./attributes.ts";
import type { ClientCalls } from "./object-client.ts";
import type { ArgumentName } from "./taken-input.ts";

/** Throws INVALID_ARGUMENT, or a code of its own, for a bad value. @param name of the argument, for the message. */
type Check = (value: unknown, name: string) => void;

/** `undefined` means "not given"; anything else is checked, `null` too. */
const optional =
  (checkValue: Check): Check =>
  (value, name) => {
    if (value !== undefined) checkValue(value, name);
  };

const integer =
  (min: number, max?: number): Check =>
  (value, name) =>
    check.checkInteger(value, name, max === undefined ? { min } : { min, max });

const isA =
  (test: (value: unknown) => boolean, what: string): Check =>
  (value, name) => {
    if (!test(value)) check.invalid(`${name} is ${what}`);
  };

const has = (member: string) => (value: unknown) =>
  typeof value === "object" && value !== null && typeof (value as Record<string, unknown>)[member] === "function";

const bucket: Check = (value) => assertBucketName(value as string);
const key: Check = (value) => assertObjectKey(value as string);
const flag = isA((value) => typeof value === "boolean", "true or false");
const opaque: Check = check.checkOpaque;
const keyText: Check = check.checkKeyText;
/** Attributes were given under this name once. To ignore it would lose them silently. */
const noAttributes: Check = (value) => {
  if (value !== undefined)
    check.invalid("attributes is no argument: contentType, metadata and the like are, by their own names");
};
const range: Check = (value) => {
  const { offset, length } = (value ?? {}) as Record<string, unknown>;
  if (Number.isSafeInteger(offset) && (length === undefined || (Number.isSafeInteger(length) && Number(length) >= 0)))
    return;
  check.invalid("a range has a whole offset and a length of 0 or more, in bytes");
};
const keys: Check = (value) => {
  if (!Array.isArray(value)) check.invalid("keys is an array of keys");
  const max = LIMITS.DELETE_MANY_MAX;
  if (value.length > max) check.invalid(`deleteObjects takes at most ${max} keys`);
};

const CALL = {
  signal: optional(isA((value) => has("addEventListener")(value) && "aborted" in (value as object), "an AbortSignal")),
  timeoutMs: optional(isA((value) => typeof value === "number" && value > 0, "a positive number of milliseconds")),
};
const WRITE = {
  ...CALL,
  operationId: optional((value) => check.checkOperationId(value as string)),
};
const TRANSFER = {
  ...CALL,
  onProgress: optional(isA((value) => typeof value === "function", "a function")),
  concurrency: optional(integer(1, LIMITS.CONCURRENCY_MAX)),
};
const CONDITION = { ifMatch: optional(opaque), ifNoneMatch: optional(opaque) };
const OBJECT = { bucket, key };
const READ = { ...OBJECT, ...CONDITION, objectVersion: optional(opaque) };
const LISTING = { ...CALL, bucket, prefix: optional(keyText) };
const UPLOAD = { ...CALL, uploadId: opaque };
const durability = optional((value) => check.checkDurability(value as never));
const sha256 = optional((value) => void normalizeDeclaredDigest(value as string));
const limit = optional(integer(1, LIMITS.LIST_LIMIT_MAX));
const LIST_OBJECTS = {
  ...LISTING,
  startAfter: optional(keyText),
  delimiter: optional((value, name) => {
    keyText(value, name);
    if (value === "") check.invalid("a delimiter is not empty");
  }),
};

const FROM_OBJECT = {
  ...OBJECT,
  ...WRITE,
  ...CONDITION,
  sourceBucket: bucket,
  sourceKey: key,
  sourceIfMatch: optional(opaque),
  attributes: noAttributes,
};

/** What each call takes. Anything that is not named here is ignored. */
const CHECKS: Readonly<Record<keyof ClientCalls, Readonly<Partial<Record<ArgumentName, Check>>>>> = {
  createBucket: { ...WRITE, bucket, ifMissing: optional(flag) },
  headBucket: { ...CALL, bucket },
  listBuckets: CALL,
  deleteBucket: { ...WRITE, bucket },
  putObject: {
    ...OBJECT,
    ...WRITE,
    ...TRANSFER,
    ...CONDITION,
    attributes: noAttributes,
    sizeBytes: optional(integer(0)),
    chunker: optional(isA(has("start"), "a chunker, such as fixed() makes")),
    durability,
    sha256,
  },
  getObject: {
    ...READ,
    ...TRANSFER,
    range: optional(range),
    verify: optional(isA((value) => value === "blocks" || value === "chunks", "blocks or chunks")),
  },
  headObject: { ...READ, ...CALL },
  deleteObject: { ...OBJECT, ...WRITE, ...CONDITION },
  deleteObjects: { ...WRITE, bucket, keys },
  listObjects: { ...LIST_OBJECTS, limit: optional(integer(1)), pageSize: limit },
  listObjectsPage: {
    ...LIST_OBJECTS,
    limit,
    cursor: optional(isA((value) => typeof value === "string" && value !== "", "text from the page before")),
  },
  copyObject: FROM_OBJECT,
  moveObject: FROM_OBJECT,
  createUpload: { ...OBJECT, ...WRITE, durability, attributes: noAttributes },
  writePart: { ...UPLOAD, ...WRITE, ...TRANSFER, partNumber: integer(1, LIMITS.PART_NUMBER_MAX), sha256 },
  listParts: UPLOAD,
  listUploads: LISTING,
  completeUpload: { ...UPLOAD, ...WRITE, ...CONDITION, sha256, parts: check.checkNamedParts },
  abortUpload: { ...UPLOAD, ...WRITE },
  collect: CALL,
  cluster: CALL,
  createAccessToken: {
    ...CALL,
    bucket,
    prefix: optional((value) => {
      if (value !== "") key(value, "prefix");
    }),
    role: optional(isA((value) => value === "readonly" || value === "readwrite", "readonly or readwrite")),
    expiresInMs: optional(integer(1)),
  },
};

/**
 * Checks the arguments of a call before the call begins. The client checks them only here, so that all seats and transports say the same.
 * No value that a wire has no form for (an empty condition, `null`, a fraction) turns into "not given" on its way.
 *
 * @throws {AshlarError} INVALID_ARGUMENT naming the argument, INVALID_BUCKET_NAME, INVALID_PART.
 */
export function checkedInput(name: keyof ClientCalls, input: unknown): object {
  const checks = CHECKS[name];
  if (input === undefined && checks === CALL) return {}; // the call has no required argument
  if (!input) throw new AshlarError("INVALID_ARGUMENT", "the call's argument is missing");
  if (typeof input !== "object") check.invalid("the call's argument is an object");
  for (const [argument, checkValue] of Object.entries(checks)) {
    checkValue((input as Readonly<Record<string, unknown>>)[argument], argument);
  }
  if (name === "putObject" || name === "createUpload" || name === "copyObject")
    normalizeAttributes(attributesOf(input));
  return input;
}
