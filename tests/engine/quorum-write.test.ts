import { fixed } from "@ashlar/sdk";
import { encodeHex } from "@ashlar/sdk/hash";
import { KIB } from "@ashlar/sdk/limits";
import { describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { dead, delayed, failing, hanging } from "../support/faulty-chunk-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster, type MemoryCluster } from "../support/memory-cluster.ts";
import { noJitter } from "../support/seeded-random.ts";
import { readAll, testBytes } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const ref = { bucket: "box", key: "wall" };
/** How long a write waits for a late replica. */
const GRACE_MS = 100;

function put(cluster: MemoryCluster, bytes: Uint8Array): ReturnType<typeof cluster.engine.putObject> {
  return cluster.engine.putObject({ ...ref, attributes: {}, chunker: fixed(CHUNK) }, toStream(bytes));
}

async function* toStream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function read(cluster: MemoryCluster): Promise<Uint8Array> {
  return readAll((await cluster.engine.openObject(ref)).read());
}

describe("a write to three replicas", () => {
  test("puts every chunk on all three", async () => {
    const cluster = await createMemoryCluster();
    const bytes = testBytes(3 * CHUNK);
    const outcome = await put(cluster, bytes);
    expect(outcome.replicas).toBe(3);
    expect(outcome.chunkCount).toBe(3);
    for (const node of cluster.nodes) expect(node.chunks.size).toBe(3);
    expect(await cluster.metadata.listRepairs({ limit: 10 })).toEqual([]);
    expect(await read(cluster)).toEqual(bytes);
  });

  test("succeeds with one of three away, and queues what it missed for repair", async () => {
    const cluster = await createMemoryCluster();
    cluster.nodes[1]!.faults.putChunk = failing("NODE_UNAVAILABLE");
    const bytes = testBytes(2 * CHUNK);
    const outcome = await put(cluster, bytes);
    expect(outcome.replicas).toBe(2);
    const repairs = await cluster.metadata.listRepairs({ limit: 10 });
    expect(repairs.map((repair) => repair.nodeId)).toEqual(["n1", "n1"]);
    expect(new Set(repairs.map((repair) => encodeHex(repair.chunkId)))).toEqual(
      new Set(cluster.nodes[0]!.chunks.keys()),
    );
    expect(await read(cluster)).toEqual(bytes);
  });

  test("fails with QUORUM_NOT_REACHED with two of three away, and shows nothing", async () => {
    const cluster = await createMemoryCluster();
    cluster.nodes[0]!.faults.putChunk = failing("NODE_UNAVAILABLE");
    cluster.nodes[2]!.faults.putChunk = failing("NODE_UNAVAILABLE");
    const error = await expectCode(put(cluster, testBytes(CHUNK)), "QUORUM_NOT_REACHED");
    expect(error.details.quorum).toBe("2");
    expect(error.cause).toBeInstanceOf(AggregateError);
    await expectCode(cluster.engine.headObject(ref), "OBJECT_NOT_FOUND");
  });

  test("tells the stores' own error where they agree on it", async () => {
    const cluster = await createMemoryCluster();
    for (const node of cluster.nodes) node.faults.putChunk = failing("DISK_FULL");
    await expectCode(put(cluster, testBytes(CHUNK)), "DISK_FULL");
  });

  test("fails with QUORUM_NOT_REACHED where the stores disagree on the reason", async () => {
    const cluster = await createMemoryCluster();
    cluster.nodes[0]!.faults.putChunk = failing("DISK_FULL");
    cluster.nodes[1]!.faults.putChunk = failing("NODE_UNAVAILABLE");
    const error = await expectCode(put(cluster, testBytes(CHUNK)), "QUORUM_NOT_REACHED");
    expect(error.details.codes?.split(",").sort()).toEqual(["DISK_FULL", "NODE_UNAVAILABLE"]);
  });

  test("does not try again what cannot succeed", async () => {
    const cluster = await createMemoryCluster();
    let tries = 0;
    for (const node of cluster.nodes) {
      node.faults.putChunk = () => {
        tries++;
        return failing("DISK_FULL")();
      };
    }
    await expectCode(put(cluster, testBytes(CHUNK)), "DISK_FULL");
    expect(tries).toBe(3);
  });

  test("does not wait for a replica that hangs longer than the grace", async () => {
    const clock = createManualClock();
    const cluster = await createMemoryCluster({ clock });
    cluster.nodes[2]!.faults.putChunk = hanging;
    const upload = put(cluster, testBytes(CHUNK));
    await expect.poll(() => clock.sleeperCount).toBe(1);
    clock.advance(GRACE_MS - 1);
    expect(clock.sleeperCount).toBe(1);
    clock.advance(1);
    expect((await upload).replicas).toBe(2);
  });

  test("does not wait at all for a replica that hung a moment ago", async () => {
    const clock = createManualClock();
    const cluster = await createMemoryCluster({ clock });
    cluster.nodes[2]!.faults.putChunk = dead;
    const first = put(cluster, testBytes(CHUNK, 1));
    await expect.poll(() => clock.sleeperCount).toBe(1);
    clock.advance(GRACE_MS);
    await first;
    // Time stands still: a write that waited now would wait forever.
    await put(cluster, testBytes(CHUNK, 2));
    const repairs = await cluster.metadata.listRepairs({ limit: 10 });
    expect(repairs.map((repair) => repair.nodeId)).toEqual(["n2", "n2"]);
  });

  test("waits for a replica that is only a little slower, so that nothing is left to repair", async () => {
    const cluster = await createMemoryCluster();
    cluster.nodes[0]!.faults.putChunk = delayed(30);
    expect((await put(cluster, testBytes(CHUNK))).replicas).toBe(3);
    expect(await cluster.metadata.listRepairs({ limit: 10 })).toEqual([]);
  });

  test("counts a chunk as deduplicated only if each replica had it", async () => {
    const cluster = await createMemoryCluster();
    const bytes = testBytes(CHUNK);
    expect((await put(cluster, bytes)).deduplicatedBytes).toBe(0);
    expect((await put(cluster, bytes)).deduplicatedBytes).toBe(CHUNK);
    cluster.nodes[1]!.chunks.clear();
    expect((await put(cluster, bytes)).deduplicatedBytes).toBe(0);
    expect(cluster.nodes[1]!.chunks.size).toBe(1);
  });
});

describe("a retry", () => {
  test("brings a chunk through a node that fails twice", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    let tries = 0;
    cluster.nodes[0]!.faults.putChunk = ({ pass }) => (++tries <= 2 ? failing("NODE_UNAVAILABLE")() : pass());
    const bytes = testBytes(CHUNK);
    expect((await put(cluster, bytes)).replicas).toBe(1);
    expect(tries).toBe(3);
    expect(await read(cluster)).toEqual(bytes);
  });

  test("sends a chunk again whose bytes were damaged on the way", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    let tries = 0;
    cluster.nodes[0]!.faults.putChunk = ({ pass }) => (++tries === 1 ? failing("CHUNK_DIGEST_MISMATCH")() : pass());
    await put(cluster, testBytes(CHUNK));
    expect(tries).toBe(2);
  });

  test("gives up with the store's error when the time is over", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    let tries = 0;
    cluster.nodes[0]!.faults.putChunk = () => {
      tries++;
      return failing("NODE_UNAVAILABLE")();
    };
    await expectCode(put(cluster, testBytes(CHUNK)), "NODE_UNAVAILABLE");
    expect(tries).toBeGreaterThan(1);
  });

  test("repeats an unconditional commit whose answer was lost, and makes one object version", async () => {
    const cluster = await createMemoryCluster();
    let commits = 0;
    const engine = cluster.newEngine({
      random: noJitter,
      catalog: {
        ...cluster.metadata,
        commitObject: async (commit, options) => {
          commits++;
          const info = await cluster.metadata.commitObject(commit, options);
          if (commits === 1) return failing("METADATA_UNAVAILABLE")();
          return info;
        },
      },
    });
    const bytes = testBytes(CHUNK);
    await engine.putObject({ ...ref, attributes: {} }, toStream(bytes));
    expect(commits).toBe(2);
    expect(await read(cluster)).toEqual(bytes);
    expect((await engine.listObjects({ bucket: "box" })).objects).toHaveLength(1);
  });

  test("repeats a conditional commit whose answer was lost, under the same operation id", async () => {
    const cluster = await createMemoryCluster();
    const ids = new Set<string | undefined>();
    const engine = cluster.newEngine({
      random: noJitter,
      catalog: {
        ...cluster.metadata,
        commitObject: async (commit, options) => {
          const info = await cluster.metadata.commitObject(commit, options);
          const first = ids.size === 0;
          ids.add(options?.operationId);
          return first ? failing("METADATA_UNAVAILABLE")() : info;
        },
      },
    });
    const request = { ...ref, attributes: {}, condition: { ifNoneMatch: "*" } };
    const { objectVersion } = await engine.putObject(request, toStream(testBytes(CHUNK)));
    expect([...ids]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect((await engine.headObject(ref)).objectVersion).toBe(objectVersion);
  });
});
