import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { decodeDigestHex } from "../hash/index.ts";
import { hashDistances } from "./hash-distances.ts";
import { createPlacement, type Layout, shares } from "./index.ts";

interface Vector {
  readonly name: string;
  readonly layout: Layout;
  readonly hashes: readonly { readonly nodeId: string; readonly partition: number; readonly hash: number }[];
  readonly placements: readonly { readonly chunkId: string; readonly nodes: readonly string[] }[];
  readonly loads: Readonly<Record<string, number>>;
  readonly moved: number;
  readonly chains: number;
  readonly tableSha256: string;
}

const folder = new URL("../../../../tests/vectors/", import.meta.url);
const { vectors, partitionCount } = JSON.parse(readFileSync(new URL("placement.json", folder), "utf8")) as {
  readonly vectors: readonly Vector[];
  readonly partitionCount: number;
};
const python = await promisify(execFile)("python3", ["--version"]).then(
  () => true,
  () => false,
);

test("the vectors cover every step of the algorithm", () => {
  expect(vectors.length).toBeGreaterThanOrEqual(11);
  expect(vectors.some((vector) => vector.moved > 0 && vector.chains === 0)).toBe(true);
  expect(vectors.some((vector) => vector.chains > 1)).toBe(true);
});

describe.each(vectors)("$name", ({ layout, hashes, placements, loads, tableSha256 }) => {
  const placement = createPlacement(layout);

  test("hashes are those of the vectors", () => {
    expect(hashes.length).toBeGreaterThan(0);
    for (const { nodeId, partition, hash } of hashes)
      expect(hashDistances([{ nodeId, weight: 1 }]).hash(partition, 0)).toBe(hash);
  });

  test("chunks lie where the vectors say", () => {
    expect(placement.partitionCount).toBe(partitionCount);
    expect(placements).toHaveLength(14);
    for (const { chunkId, nodes } of placements) {
      expect(placement.nodesOf(decodeDigestHex(chunkId))).toEqual(nodes);
    }
  });

  test("the whole table is that of the vectors", () => {
    const hash = createHash("sha256");
    for (let partition = 0; partition < partitionCount; partition++)
      hash.update(`${placement.nodesOfPartition(partition).join()}\n`);
    expect(hash.digest("hex")).toBe(tableSha256);
  });

  test("shares are the loads of the vectors", () => {
    const replicas = partitionCount * placement.replicaCount;
    const counted = shares(layout).map((share) => [share.nodeId, Math.round(share.totalShare * replicas)]);
    expect(Object.fromEntries(counted)).toEqual(loads);
  });
});

// A machine without Python still compares the TypeScript code with the JSON above; CI has Python.
test.skipIf(!python)("the naive implementation in Python computes the same file", { timeout: 600_000 }, async () => {
  const program = fileURLToPath(new URL("naive_placement.py", folder));
  // -B: it imports the program of the ring, and no compiled copy of that is to lie beside the vectors.
  const { stdout } = await promisify(execFile)("python3", ["-B", program]);
  expect(stdout).toContain(`${vectors.length} layouts agree`);
});
