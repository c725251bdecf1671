import { AshlarError } from "../errors/index.ts";
import { plainMembers } from "../internal/plain-members.ts";
import * as LIMITS from "../limit-values.ts";
import type { ObjectAttributes } from "./objects.ts";

const BUCKET_NAME = /^[a-z0-9](?:\.?[a-z0-9-])*\.?[a-z0-9]$/;
const IP_FORM = /^\d+\.\d+\.\d+\.\d+$/;
const RESERVED_PREFIXES: readonly string[] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: readonly string[] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
/** A surrogate without its partner. It has no UTF-8 form, so two different texts would become one key. */
const LONE_SURROGATE = /\p{Cs}/u;
/** What a header value cannot carry: control characters other than the tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern looks for control characters.
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const HEADER_FIELDS = [
  "contentType",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "expires",
] as const;
const CONTENT_TYPE_DEFAULT = "application/octet-stream";
const encoder = new TextEncoder();

/** Length in UTF-8 bytes. */
export function utf8Length(text: string): number {
  return encoder.encode(text).byteLength;
}

/** Whether `text` has a UTF-8 form (no lone surrogates). */
export function isWellFormedText(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/**
 * Checks a bucket name against S3's rules for general purpose buckets: 3 to 63 of `[a-z0-9.-]`, a letter or digit at both ends, no two dots
 * in a row, not of the form of an IPv4 address, no reserved prefix or suffix.
 *
 * @throws {AshlarError} INVALID_BUCKET_NAME.
 */
export function assertBucketName(bucket: string): void {
  const problem = bucketNameProblem(bucket);
  if (problem === undefined) return;
  const shown = typeof bucket === "string" ? bucket.slice(0, 80) : typeof bucket;
  throw new AshlarError("INVALID_BUCKET_NAME", `a bucket name ${problem}`, { details: { bucket: shown } });
}

function bucketNameProblem(bucket: string): string | undefined {
  if (typeof bucket !== "string") return "is text";
  if (bucket.length < LIMITS.BUCKET_NAME_MIN || bucket.length > LIMITS.BUCKET_NAME_MAX) {
    return `has ${LIMITS.BUCKET_NAME_MIN} to ${LIMITS.BUCKET_NAME_MAX} characters`;
  }
  if (!BUCKET_NAME.test(bucket)) {
    return "consists of a-z, 0-9, dots and hyphens, begins and ends with a letter or digit, and has no two dots in a row";
  }
  if (IP_FORM.test(bucket)) return "is not an IP address";
  const reserved =
    RESERVED_PREFIXES.find((prefix) => bucket.startsWith(prefix)) ??
    RESERVED_SUFFIXES.find((suffix) => bucket.endsWith(suffix));
  return reserved === undefined ? undefined : `does not use the reserved ${reserved}`;
}

/**
 * Checks an object key: 1 to KEY_MAX_BYTES bytes of UTF-8, any characters (NUL, `..` and slashes mean nothing), no lone surrogates.
 *
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export function assertObjectKey(key: string): void {
  if (typeof key !== "string" || key === "") throw new AshlarError("INVALID_ARGUMENT", "a key is a non-empty text");
  if (!isWellFormedText(key)) throw new AshlarError("INVALID_ARGUMENT", "a key has no lone surrogates");
  const sizeBytes = utf8Length(key);
  if (sizeBytes > LIMITS.KEY_MAX_BYTES) {
    throw new AshlarError("INVALID_ARGUMENT", `a key has at most ${LIMITS.KEY_MAX_BYTES} bytes of UTF-8`, {
      details: { sizeBytes: String(sizeBytes) },
    });
  }
}

/**
 * Checks attributes and brings them to the form that is stored: only fields that are set and not empty, metadata names in lower case, and the default
 * content type where none is set. Idempotent.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for values that no header can carry, for two metadata names that differ only in case, for more than
 *   METADATA_MAX_BYTES or METADATA_ENTRIES_MAX of metadata, and for more than HEADER_FIELDS_MAX_BYTES of the other fields.
 */
export function normalizeAttributes(attributes: ObjectAttributes | undefined): ObjectAttributes {
  const result: { -readonly [Name in (typeof HEADER_FIELDS)[number]]?: string } = { contentType: CONTENT_TYPE_DEFAULT };
  let headerBytes = 0;
  for (const field of HEADER_FIELDS) {
    const value = attributes?.[field];
    if (value === undefined || value === "") continue; // HTTP and the wire cannot tell empty from absent
    assertHeaderValue(field, value);
    headerBytes += utf8Length(value);
    result[field] = value;
  }
  assertAtMost(headerBytes, LIMITS.HEADER_FIELDS_MAX_BYTES, "bytes of header fields");
  const metadata = normalizeMetadata(attributes?.metadata);
  return Object.freeze(metadata === undefined ? result : { ...result, metadata });
}

function normalizeMetadata(metadata: Readonly<Record<string, string>> | undefined): ObjectAttributes["metadata"] {
  if (metadata === undefined) return undefined;
  const members = plainMembers(metadata);
  if (members === undefined) throw invalidAttribute("metadata", "is a plain object of names and texts");
  let sizeBytes = 0;
  const entries = new Map<string, string>();
  for (const [given, value] of Object.entries(members)) {
    const name = given.toLowerCase();
    // Some parsers drop `__proto__`, which is special in JavaScript.
    if (!HEADER_NAME.test(name) || name === "__proto__") throw invalidAttribute(given, "is not a header name");
    if (entries.has(name)) throw invalidAttribute(given, "occurs twice, differing only in case");
    assertHeaderValue(given, value);
    sizeBytes += name.length + utf8Length(value);
    entries.set(name, value);
  }
  assertAtMost(sizeBytes, LIMITS.METADATA_MAX_BYTES, "bytes of metadata");
  assertAtMost(entries.size, LIMITS.METADATA_ENTRIES_MAX, "entries of metadata");
  return entries.size === 0 ? undefined : Object.freeze(Object.fromEntries(entries));
}

function assertHeaderValue(name: string, value: unknown): asserts value is string {
  if (typeof value !== "string") throw invalidAttribute(name, "is not text");
  if (CONTROL.test(value) || !isWellFormedText(value))
    throw invalidAttribute(name, "has characters that no header carries");
}

function assertAtMost(count: number, most: number, what: string): void {
  if (count <= most) return;
  throw new AshlarError("INVALID_ARGUMENT", `an object has at most ${most} ${what}`, {
    details: { count: String(count) },
  });
}

function invalidAttribute(name: string, problem: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `attribute ${name.slice(0, 80)} ${problem}`, {
    details: { attribute: name.slice(0, 80) },
  });
}
