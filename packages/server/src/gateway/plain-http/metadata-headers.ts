import { AshlarError } from "@ashlar/sdk/errors";
import { KIB } from "@ashlar/sdk/limits";
import { decodeBase64Url, encodeBase64Url } from "../../grants/base64url.ts";
import { decodeHeaderText } from "./header-text.ts";

const PREFIX = "ashlar-meta-";

/**
 * All of an object's metadata in one header: base64url of UTF-8 lines `name=value`, each ended by a line feed. Names have no `=`, values no line
 * feed.
 */
const WHOLE = "ashlar-metadata";

/** Bytes of a header besides its name and value: the prefix, colon, space and line end. */
const ENTRY_BYTES = PREFIX.length + 4;

/**
 * Entries that need more than this as headers of their own go into one header. Clients accept 16 KiB of headers (undici and with it Node's fetch,
 * node:http); the other headers of an answer need up to 3.5 KiB.
 */
const OWN_HEADERS_MAX_BYTES = 12 * KIB;

/**
 * User metadata as headers of an answer.
 *
 * Each entry is a header of its own, percent-encoded, so that people can read it. Percent-encoding triples the size of scripts beyond Latin, and
 * small entries cost more than they hold. If that is too much in all, one header has all entries, at 4/3 of their size.
 */
export function metadataHeaders(metadata: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  const entries = Object.entries(metadata);
  const own = entries.map(([name, value]) => [`${PREFIX}${name}`, encodeURIComponent(value)] as const);
  const sizeBytes = own.reduce(
    (sum, [name, value]) => sum + name.length - PREFIX.length + value.length + ENTRY_BYTES,
    0,
  );
  if (sizeBytes <= OWN_HEADERS_MAX_BYTES) return own;
  const lines = entries.map(([name, value]) => `${name}=${value}\n`).join("");
  return [[WHOLE, encodeBase64Url(new TextEncoder().encode(lines))]];
}

/**
 * User metadata of a request: `ashlar-meta-<name>` headers (percent-encoded, or UTF-8 as it is), the one header, or both.
 *
 * If a header is repeated, its values are joined by a comma, as HTTP says.
 *
 * @returns `undefined` if there is none.
 * @throws {AshlarError} INVALID_ARGUMENT for values that cannot be decoded, and for a name that occurs in both. Nothing is dropped.
 */
export function metadataFromHeaders(header: Headers): Readonly<Record<string, string>> | undefined {
  // A map, because assigning to `__proto__` of an object sets its prototype and stores no entry.
  const entries = new Map<string, string>();
  header.forEach((value, name) => {
    if (name.startsWith(PREFIX)) entries.set(name.slice(PREFIX.length), decodeValue(name, value));
  });
  for (const [name, value] of wholeEntries(header.get(WHOLE))) {
    if (entries.has(name)) throw invalid(`metadata ${name.slice(0, 80)} occurs twice`);
    entries.set(name, value);
  }
  return entries.size === 0 ? undefined : Object.fromEntries(entries);
}

function decodeValue(name: string, value: string): string {
  try {
    return decodeURIComponent(decodeHeaderText(value));
  } catch (cause) {
    throw invalid(`${name} is not percent-encoded UTF-8`, cause);
  }
}

function wholeEntries(header: string | null): readonly (readonly [string, string])[] {
  if (header === null || header === "") return [];
  const lines = decodeLines(header);
  if (!lines.endsWith("\n")) throw invalid(`${WHOLE} ends with a line feed`);
  return lines
    .slice(0, -1)
    .split("\n")
    .map((line) => {
      const mark = line.indexOf("=");
      if (mark < 1) throw invalid(`${WHOLE} consists of lines name=value`);
      return [line.slice(0, mark).toLowerCase(), line.slice(mark + 1)] as const;
    });
}

function decodeLines(text: string): string {
  const bytes = decodeBase64Url(text.replace(/={1,2}$/, ""));
  if (bytes === undefined) throw invalid(`${WHOLE} is base64url`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw invalid(`${WHOLE} is not UTF-8`, cause);
  }
}

function invalid(message: string, cause?: unknown): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", message, { cause });
}
