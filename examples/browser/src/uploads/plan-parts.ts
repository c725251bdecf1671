import { MIB } from "@ashlar/sdk";

/** One part of a file. */
export interface Part {
  /** From 1. */
  readonly partNumber: number;
  readonly startByte: number;
  readonly endByte: number;
}

/** Files up to this many bytes go in one call: after an interruption little is lost. */
export const WHOLE_MAX_BYTES: number = 8 * MIB;

const PART_MIN_BYTES = 4 * MIB;
/** Keeps the list of parts short for very large files. */
const PARTS_MAX = 10_000;

/** Size of the parts of a file: whole chunks of 4 MiB, as few as needed. */
export function partBytesFor(fileBytes: number): number {
  return Math.max(1, Math.ceil(fileBytes / PARTS_MAX / PART_MIN_BYTES)) * PART_MIN_BYTES;
}

/** Cuts a file. @param partBytes of the upload that is resumed, or by {@link partBytesFor}. */
export function planParts(fileBytes: number, partBytes: number): readonly Part[] {
  return Array.from({ length: Math.ceil(fileBytes / partBytes) }, (_, index) => ({
    partNumber: index + 1,
    startByte: index * partBytes,
    endByte: Math.min(fileBytes, (index + 1) * partBytes),
  }));
}
