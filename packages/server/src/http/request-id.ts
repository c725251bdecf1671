import { encodeHex } from "@ashlar/sdk/hash";
import type { Random } from "@ashlar/sdk/ports";

/** Header in which a request may bring an id and every answer carries one. */
export const REQUEST_ID_HEADER = "ashlar-request-id";

// Short, and nothing that could break a log line or a header.
const SANE = /^[A-Za-z0-9._-]{1,64}$/;

/** The caller's request id if it is sane, otherwise 96 random bits in hex. */
export function requestIdOf(header: Headers, random: Pick<Random, "bytes">): string {
  const given = header.get(REQUEST_ID_HEADER);
  return given !== null && SANE.test(given) ? given : encodeHex(random.bytes(12));
}
