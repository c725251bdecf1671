import { expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";

const SIZE = 32 * 1024 * 1024;

test("bytes are compared to the last one, wherever they are in a value", () => {
  const bytes = testBytes(1000);
  const changed = bytes.with(-1, bytes.at(-1)! ^ 1);
  expect(bytes).toEqual(bytes.slice());
  expect({ list: [bytes] }).toMatchObject({ list: [bytes.slice()] });
  expect([bytes]).toContainEqual(bytes.slice());
  expect(bytes).not.toEqual(changed);
  expect({ list: [bytes] }).not.toEqual({ list: [changed] });
  expect(bytes).not.toEqual(bytes.subarray(1));
  expect(bytes).not.toEqual(new Uint8Array());
  expect(Buffer.from(bytes)).not.toStrictEqual(bytes);
  expect(bytes).not.toEqual(new Uint16Array(1000));
});

test("large arrays take little time: index by index, a core would need six seconds", () => {
  const [one, other] = [testBytes(SIZE), testBytes(SIZE)];
  const before = process.cpuUsage();
  expect(one).toEqual(other);
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
});
