import type { ByteRange } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";

/** Reads `first-last` (both included), `first-` and `-count`. @throws {AshlarError} INVALID_ARGUMENT. */
export function parseByteRange(text: string): ByteRange {
  const [, first = "", last = ""] = text.match(/^(\d*)-(\d*)$/) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" && last !== "" && to > 0) return { offset: -to };
  if (first !== "" && last === "") return { offset: from };
  if (first !== "" && last !== "" && to >= from) return { offset: from, length: to - from + 1 };
  throw new AshlarError("INVALID_ARGUMENT", `a range is 0-1023, 1024- or -500, not "${text}"`);
}
