/**
 * Rows that carry a checksum of themselves, in front of their attributes: `1:<8 hex of the row>:<8 hex of the inline bytes, or nothing>:<JSON>`.
 *
 * So one flipped bit in a database is METADATA_CORRUPT and never taken for what was written. The checksum is in front of the attributes, because
 * SQLite would read over the inline bytes in every listing to reach a column behind them. Rows of release 0.1 begin with the JSON's brace, have no
 * checksum and are still read. Never change the form: a new one takes a new number.
 */
import { crc32 } from "node:zlib";
import { AshlarError } from "@ashlar/sdk/errors";
import type { ObjectAttributes } from "@ashlar/sdk/ports";

const SEALED = /^1:(?<row>[0-9a-f]{8}):(?<inline>[0-9a-f]{8}|):(?<json>\{.*\})$/s;

/** The other fields of a row, in an order that never changes; null for a field without a value. */
export type SealedFields = ReadonlyArray<string | number | null>;

const hexOf = (checksum: number): string => checksum.toString(16).padStart(8, "0");

function rowChecksum(fields: SealedFields, inlineChecksum: string, json: string): string {
  return hexOf(crc32(JSON.stringify([...fields, inlineChecksum, json])));
}

/** The column `attributes` of a row. @param inline its inline bytes, if it has any. */
export function sealAttributes(
  attributes: ObjectAttributes,
  fields: SealedFields,
  inline: Uint8Array | null = null,
): string {
  const json = JSON.stringify(attributes);
  const inlineChecksum = inline === null ? "" : hexOf(crc32(inline));
  return `1:${rowChecksum(fields, inlineChecksum, json)}:${inlineChecksum}:${json}`;
}

/**
 * The inverse of {@link sealAttributes}.
 *
 * @param inline the row's inline bytes as read; undefined where they were not read.
 * @throws {AshlarError} METADATA_CORRUPT if row or bytes are not what was written.
 */
export function unsealAttributes(
  stored: string,
  fields: SealedFields,
  inline?: Uint8Array | null | undefined,
): ObjectAttributes {
  if (stored.startsWith("{")) return parse(stored, fields);
  const sealed = SEALED.exec(stored)?.groups;
  if (sealed === undefined) throw notAsWritten(fields);
  const { row = "", inline: inlineChecksum = "", json = "" } = sealed;
  if (rowChecksum(fields, inlineChecksum, json) !== row) throw notAsWritten(fields);
  if (inline !== undefined && (inline === null ? "" : hexOf(crc32(inline))) !== inlineChecksum)
    throw notAsWritten(fields);
  return parse(json, fields);
}

const SEALED_TEXT = /^(?<form>[12]):(?<row>[0-9a-f]{8}):(?<text>.*)$/s;

/**
 * The same for a row without attributes, in front of one of its texts: `2:<8 hex of the row>:<text>`. A row of release 0.1 may have the text alone,
 * which then has no colon.
 */
export function sealText(text: string, fields: SealedFields): string {
  return `2:${rowChecksum(fields, "", text)}:${text}`;
}

/**
 * The inverse of {@link sealText}.
 *
 * @param fewerFields those of the fields that form 1 covers; it is still read.
 * @throws {AshlarError} METADATA_CORRUPT.
 */
export function unsealText(stored: string, fields: SealedFields, fewerFields: SealedFields): string {
  // Not decided by the first character alone: one flipped bit of it must not make this a row without a checksum.
  if (!stored.includes(":")) return stored;
  const { form, row, text = "" } = SEALED_TEXT.exec(stored)?.groups ?? {};
  const expected = rowChecksum(form === "1" ? fewerFields : fields, "", text);
  if (row === undefined || expected !== row) throw notAsWritten(fields);
  return text;
}

function parse(json: string, fields: SealedFields): ObjectAttributes {
  try {
    return JSON.parse(json) as ObjectAttributes;
  } catch {
    throw notAsWritten(fields);
  }
}

function notAsWritten(fields: SealedFields): AshlarError {
  return new AshlarError(
    "METADATA_CORRUPT",
    "a row of the metadata is not what was written: examine the database (ashlar fsck), and restore it from a backup or put the object again",
    { details: { row: fields.slice(0, 3).join(" ") } },
  );
}
