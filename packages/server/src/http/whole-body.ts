import { AshlarError } from "@ashlar/sdk/errors";

/**
 * Refuses a PUT that brings a part of a body, as `curl -C - -T` sends it: taken for the whole, the part would replace everything (RFC 9110 §14.5).
 *
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export function assertWholeBody(header: Headers): void {
  if (!header.has("content-range")) return;
  throw new AshlarError("INVALID_ARGUMENT", "a PUT brings all bytes: content-range is not supported", {
    details: { header: "content-range" },
  });
}
