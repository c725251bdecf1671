import { describe, expect, test } from "vitest";
import type { ByteRange } from "../ports/index.ts";
import { resolveByteRange } from "./read-object.ts";

describe("resolveByteRange", () => {
  test.each<[ByteRange | undefined, number, number, number]>([
    [undefined, 10, 0, 10],
    [undefined, 0, 0, 0],
    [{ offset: 0 }, 10, 0, 10],
    [{ offset: 3 }, 10, 3, 7],
    [{ offset: 3, length: 2 }, 10, 3, 2],
    [{ offset: 3, length: 100 }, 10, 3, 7],
    [{ offset: 9, length: 1 }, 10, 9, 1],
    [{ offset: 3, length: 0 }, 10, 3, 0],
    [{ offset: 10, length: 0 }, 10, 10, 0],
    [{ offset: -3 }, 10, 7, 3],
    [{ offset: -3, length: 2 }, 10, 7, 2],
    [{ offset: -30 }, 10, 0, 10],
    [{ offset: -30, length: 5 }, 10, 0, 5],
    [{ offset: 0 }, 0, 0, 0],
    [{ offset: -5 }, 0, 0, 0],
  ])("%o of %i bytes is %i + %i", (range, sizeBytes, offset, length) => {
    expect(resolveByteRange(range, sizeBytes)).toEqual({ offset, length });
  });

  test.each<[ByteRange, number]>([
    [{ offset: 10 }, 10],
    [{ offset: 10, length: 1 }, 10],
    [{ offset: 11, length: 0 }, 10],
    [{ offset: 1 }, 0],
  ])("%o of %i bytes is INVALID_RANGE", (range, sizeBytes) => {
    expect(() => resolveByteRange(range, sizeBytes)).toThrow(expect.objectContaining({ code: "INVALID_RANGE" }));
  });

  test.each<ByteRange>([
    { offset: 0.5 },
    { offset: Number.NaN },
    { offset: 0, length: -1 },
    { offset: 0, length: 1.5 },
  ])("%o is INVALID_ARGUMENT", (range) => {
    expect(() => resolveByteRange(range, 10)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
