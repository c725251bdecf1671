/** Headers that every write over plain HTTP may have. */
import { AshlarError } from "@ashlar/sdk/errors";
import { DURABILITIES, type Durability } from "@ashlar/sdk/ports";

/** `content-length`; `undefined` where the body's length is not known. @throws {AshlarError} INVALID_ARGUMENT. */
export function contentLength(header: Headers): number | undefined {
  const text = header.get("content-length");
  return text === null ? undefined : wholeNumber(text, "content-length");
}

/** `ashlar-durability`; `undefined` where the caller leaves it to the store. @throws {AshlarError} INVALID_ARGUMENT. */
export function durabilityOf(header: Headers): Durability | undefined {
  const text = header.get("ashlar-durability");
  if (text === null) return undefined;
  const durability = DURABILITIES.find((each) => each === text);
  if (durability !== undefined) return durability;
  throw new AshlarError("INVALID_ARGUMENT", `ashlar-durability is one of ${DURABILITIES.join(", ")}`);
}

/** The value of a header that is a count. @throws {AshlarError} INVALID_ARGUMENT. */
export function wholeNumber(text: string, name: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new AshlarError("INVALID_ARGUMENT", `${name} is a whole number`, { details: { field: name } });
}

/**
 * Refuses a PUT of a part of a body, as `curl -C - -T` sends it: taken for the whole, the part would replace everything (RFC 9110 §14.5).
 *
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export function assertWholeBody(header: Headers): void {
  if (!header.has("content-range")) return;
  throw new AshlarError("INVALID_ARGUMENT", "a PUT brings all bytes: content-range is not supported", {
    details: { header: "content-range" },
  });
}
