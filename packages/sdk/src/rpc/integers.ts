import { AshlarError } from "../errors/index.ts";

/** A 64-bit integer for the wire. @param value at least `Number.MIN_SAFE_INTEGER`; fractions are rounded up. */
export function encodeInteger(value: number): bigint {
  if (!Number.isFinite(value)) throw new AshlarError("INVALID_ARGUMENT", "a number that is not finite cannot be sent");
  return BigInt(Math.ceil(value));
}

/**
 * A number from a 64-bit integer of the wire.
 *
 * @param field the name to show in the error.
 * @throws {AshlarError} INVALID_ARGUMENT beyond ±(2^53 - 1).
 */
export function decodeInteger(value: bigint, field: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new AshlarError("INVALID_ARGUMENT", `${field} is beyond 2^53 - 1`, { details: { field } });
}

/** The wire has no "absent" for texts: empty means not set. */
export function decodeText(value: string): string | undefined {
  return value === "" ? undefined : value;
}

/** Like {@link decodeText}, for counts where 0 means not set. */
export function decodeCount(value: number): number | undefined {
  return value === 0 ? undefined : value;
}

/**
 * Returns a member that the contract always requires: a message, or a text that is never empty.
 *
 * @throws {AshlarError} INTERNAL if it is missing: the sender breaks the contract.
 */
export function required<T>(member: T | undefined, name: string): T {
  if (member === undefined || member === "") throw new AshlarError("INTERNAL", `the answer lacks ${name}`);
  return member;
}
