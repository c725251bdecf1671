import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { byCount, chunkBody, fixed } from "./index.ts";

interface Case {
  readonly chunker: "fixed" | "byCount";
  readonly argument: number;
  readonly totalBytes: number;
  readonly runs: readonly (readonly [length: number, repeats: number])[];
}

const folder = new URL("../../../../tests/vectors/", import.meta.url);
const { cases } = JSON.parse(readFileSync(new URL("chunking.json", folder), "utf8")) as {
  readonly cases: readonly Case[];
};
const python = await promisify(execFile)("python3", ["--version"]).then(
  () => true,
  () => false,
);

test("the vectors hold both chunkers", () => {
  expect(cases).toHaveLength(64);
});

test.each(cases)("$chunker($argument) cuts $totalBytes bytes as the vectors say", async (vector) => {
  const { argument, totalBytes, runs } = vector;
  const cutter = (vector.chunker === "fixed" ? fixed(argument) : byCount(argument)).start(totalBytes);
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < totalBytes; sent += 100_000) yield new Uint8Array(Math.min(100_000, totalBytes - sent));
  }
  const lengths: number[] = [];
  for await (const chunk of chunkBody(body(), cutter)) lengths.push(chunk.byteLength);
  expect(lengths).toEqual(runs.flatMap(([length, repeats]) => Array.from({ length: repeats }, () => length)));
});

test.skipIf(!python)("the naive implementation in Python computes the same file", async () => {
  const { stdout } = await promisify(execFile)("python3", [fileURLToPath(new URL("naive_chunking.py", folder))]);
  expect(stdout).toContain("64 cases agree");
});
