import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { decodeDigestHex } from "../hash/index.ts";
import { createPlacement, type Layout, PARTITION_COUNT, shares, virtualNodeToken } from "./index.ts";

interface Vector {
  readonly name: string;
  readonly layout: Layout;
  readonly tokens: readonly { readonly nodeId: string; readonly index: number; readonly token: string }[];
  readonly placements: readonly { readonly chunkId: string; readonly nodes: readonly string[] }[];
  readonly loads: Readonly<Record<string, number>>;
  readonly chains: number;
  readonly tableSha256: string;
}

const folder = new URL("../../../../tests/vectors/", import.meta.url);
const { vectors, partitionCount } = JSON.parse(readFileSync(new URL("ring.json", folder), "utf8")) as {
  readonly vectors: readonly Vector[];
  readonly partitionCount: number;
};
const python = await promisify(execFile)("python3", ["--version"]).then(
  () => true,
  () => false,
);

test("the vectors cover every step of the algorithm", () => {
  expect(partitionCount).toBe(PARTITION_COUNT);
  expect(vectors.length).toBeGreaterThanOrEqual(18);
  expect(vectors.some((vector) => vector.chains > 0)).toBe(true);
});

describe.each(vectors)("$name", ({ layout, tokens, placements, loads, tableSha256 }) => {
  const placement = createPlacement(layout);

  test("tokens are those of the vectors", () => {
    expect(tokens.length).toBeGreaterThan(0);
    for (const { nodeId, index, token } of tokens) expect(virtualNodeToken(nodeId, index)).toBe(BigInt(`0x${token}`));
  });

  test("chunks lie where the vectors say", () => {
    expect(placements).toHaveLength(14);
    for (const { chunkId, nodes } of placements) {
      expect(placement.nodesOf(decodeDigestHex(chunkId))).toEqual(nodes);
    }
  });

  test("the whole table is that of the vectors", () => {
    const hash = createHash("sha256");
    for (let partition = 0; partition < PARTITION_COUNT; partition++)
      hash.update(`${placement.nodesOfPartition(partition).join()}\n`);
    expect(hash.digest("hex")).toBe(tableSha256);
  });

  test("shares are the loads of the vectors", () => {
    const replicas = PARTITION_COUNT * placement.replicaCount;
    const counted = shares(layout).map((share) => [share.nodeId, Math.round(share.totalShare * replicas)]);
    expect(Object.fromEntries(counted)).toEqual(loads);
  });
});

// A machine without Python still compares the TypeScript code with the JSON above; CI has Python.
test.skipIf(!python)("the naive implementation in Python computes the same file", { timeout: 600_000 }, async () => {
  const { stdout } = await promisify(execFile)("python3", [fileURLToPath(new URL("naive_ring.py", folder))]);
  expect(stdout).toContain(`${vectors.length} layouts agree`);
});
