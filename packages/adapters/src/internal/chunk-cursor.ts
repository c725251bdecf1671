import { AshlarError } from "@ashlar/sdk/errors";
import { isDigestHex } from "@ashlar/sdk/hash";

/** The cursor after a page is the last chunk id in hex; decoding gives it back. @throws {AshlarError} INVALID_ARGUMENT */
export function decodeChunkCursor(cursor: string | undefined): string {
  if (cursor === undefined) return "";
  if (isDigestHex(cursor)) return cursor;
  throw new AshlarError("INVALID_ARGUMENT", "this cursor was not given out by a chunk store");
}
