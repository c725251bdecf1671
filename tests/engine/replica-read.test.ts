import { fixed } from "@ashlar/sdk";
import { KIB } from "@ashlar/sdk/limits";
import type { ChunkStore } from "@ashlar/sdk/ports";
import { describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { dead, type FaultyCall, failing } from "../support/faulty-chunk-store.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { createMemoryCluster, type MemoryCluster, type MemoryNode } from "../support/memory-cluster.ts";
import { readAll, testBytes } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const HEDGE_AFTER_MS = 40;
const ref = { bucket: "box", key: "wall" };

type GetCall = FaultyCall<Awaited<ReturnType<ChunkStore["getChunk"]>>>;

/** A cluster with one object of one chunk, and its nodes in the order in which a read asks them. */
async function prepare(
  bytes: Uint8Array,
  clock?: ManualClock,
): Promise<{ cluster: MemoryCluster; order: readonly MemoryNode[] }> {
  const cluster = await createMemoryCluster({
    hedgeAfterMs: HEDGE_AFTER_MS,
    ...(clock === undefined ? {} : { clock }),
  });
  await cluster.engine.putObject(
    { ...ref, attributes: {}, chunker: fixed(CHUNK) },
    (async function* () {
      yield bytes;
    })(),
  );
  const stored = await cluster.metadata.getObject(ref);
  const candidates = await cluster.topology.readCandidates(stored!.page!.chunks[0]!.chunkId);
  const order = candidates.map(({ nodeId }) => cluster.nodes.find((node) => node.nodeId === nodeId)!);
  return { cluster, order };
}

const absent = async (): Promise<undefined> => undefined;

async function corrupt({ pass }: GetCall): Promise<Uint8Array | undefined> {
  const bytes = await pass();
  bytes![3]! ^= 1;
  return bytes;
}

async function truncated({ pass }: GetCall): Promise<Uint8Array | undefined> {
  return (await pass())!.slice(1);
}

const bytes = testBytes(CHUNK);

function read(cluster: MemoryCluster, range?: { offset: number; length: number }): Promise<Uint8Array> {
  return cluster.engine.openObject({ ...ref, range }).then((opened) => readAll(opened.read()));
}

describe("a read asks the next replica when the first", () => {
  test.each<[string, NonNullable<MemoryNode["faults"]["getChunk"]>]>([
    ["does not have the chunk", absent],
    ["has wrong bytes", corrupt],
    ["says itself that its bytes are corrupt", failing("CHUNK_CORRUPT")],
    ["is away", failing("NODE_UNAVAILABLE")],
    ["fails in an unexpected way", failing("INTERNAL")],
    ["denies access", failing("PERMISSION_DENIED")],
  ])("%s", async (_, fault) => {
    const { cluster, order } = await prepare(bytes);
    order[0]!.faults.getChunk = fault;
    expect(await read(cluster)).toEqual(bytes);
    order[1]!.faults.getChunk = fault;
    expect(await read(cluster)).toEqual(bytes);
  });

  test("has a chunk of another length", async () => {
    const { cluster, order } = await prepare(bytes);
    order[0]!.faults.getChunk = truncated;
    expect(await read(cluster)).toEqual(bytes);
  });

  test("serves too short a range", async () => {
    const { cluster, order } = await prepare(bytes);
    order[0]!.faults.getChunk = truncated;
    expect(await read(cluster, { offset: 10, length: 100 })).toEqual(bytes.subarray(10, 110));
  });

  test("is slow: both are asked, and the faster one answers", async () => {
    const clock = createManualClock();
    const { cluster, order } = await prepare(bytes, clock);
    order[0]!.faults.getChunk = dead;
    let asked = 0;
    order[1]!.faults.getChunk = ({ pass }) => {
      asked++;
      return pass();
    };
    const reading = read(cluster);
    await expect.poll(() => clock.sleeperCount).toBe(1);
    clock.advance(HEDGE_AFTER_MS - 1);
    expect([clock.sleeperCount, asked]).toEqual([1, 0]);
    clock.advance(1);
    expect(await reading).toEqual(bytes);
    expect(asked).toBe(1);
  });

  test("is dead and the second too", async () => {
    const { cluster, order } = await prepare(bytes);
    order[0]!.faults.getChunk = dead;
    order[1]!.faults.getChunk = dead;
    expect(await read(cluster)).toEqual(bytes);
  });
});

describe("a read", () => {
  test("does not ask a second replica while the first answers in time", async () => {
    const clock = createManualClock();
    const { cluster, order } = await prepare(bytes, clock);
    let asked = 0;
    for (const node of order.slice(1)) {
      node.faults.getChunk = ({ pass }) => {
        asked++;
        return pass();
      };
    }
    await read(cluster);
    clock.advance(10 * HEDGE_AFTER_MS);
    await new Promise((resolve) => setImmediate(resolve));
    expect([clock.sleeperCount, asked]).toEqual([0, 0]);
  });

  test("ends the slower replica's call once another has answered", async () => {
    const { cluster, order } = await prepare(bytes);
    let aborted = false;
    order[0]!.faults.getChunk = ({ options }) => {
      options.signal?.addEventListener("abort", () => {
        aborted = true;
      });
      return dead();
    };
    await read(cluster);
    expect(aborted).toBe(true);
  });

  test("asks a node that failed a moment ago last", async () => {
    const { cluster, order } = await prepare(bytes);
    let tries = 0;
    order[0]!.faults.getChunk = () => {
      tries++;
      return failing("NODE_UNAVAILABLE")();
    };
    await read(cluster);
    await read(cluster);
    expect(tries).toBe(1);
  });

  test("is CHUNK_MISSING if no replica has the chunk", async () => {
    const { cluster, order } = await prepare(bytes);
    for (const node of order) node.chunks.clear();
    const error = await expectCode(read(cluster), "CHUNK_MISSING");
    expect(error.details.asked).toBe("3");
  });

  test("is CHUNK_CORRUPT if every replica has wrong bytes, and gives none of them", async () => {
    const { cluster, order } = await prepare(bytes);
    for (const node of order) node.faults.getChunk = corrupt;
    const opened = await cluster.engine.openObject(ref);
    let received = 0;
    const reading = (async () => {
      for await (const slice of opened.read()) received += slice.byteLength;
    })();
    await expectCode(reading, "CHUNK_CORRUPT");
    expect(received).toBe(0);
  });

  test("is tried again while a replica is away that may hold what the others lack", async () => {
    const { cluster, order } = await prepare(bytes);
    order[0]!.faults.getChunk = absent;
    order[1]!.faults.getChunk = absent;
    let tries = 0;
    order[2]!.faults.getChunk = ({ pass }) => (++tries < 3 ? failing("NODE_UNAVAILABLE")() : pass());
    expect(await read(cluster)).toEqual(bytes);
    expect(tries).toBe(3);
  });

  test("is NODE_UNAVAILABLE if every replica is away", async () => {
    const { cluster, order } = await prepare(bytes);
    for (const node of order) node.faults.getChunk = failing("NODE_UNAVAILABLE");
    await expectCode(read(cluster), "NODE_UNAVAILABLE");
  });

  test("finds a chunk that was placed under an older layout", async () => {
    const cluster = await createMemoryCluster({ nodeCount: 1 });
    await cluster.engine.putObject(
      { ...ref, attributes: {} },
      (async function* () {
        yield bytes;
      })(),
    );
    // A layout of other nodes only: reads must look where the older layout says.
    const url = "http://n0:1";
    for (const nodeId of ["x0", "x1", "x2"]) {
      await cluster.metadata.registerNode({
        nodeId,
        url: `${url}/${nodeId}`.replace("n0", nodeId),
        softwareVersion: "test",
      });
    }
    await cluster.metadata.changeLayout({ weights: { n0: 0 } });
    cluster.topology.invalidate();
    expect(
      (
        await cluster.topology.writePlacement((await cluster.metadata.getObject(ref))!.page!.chunks[0]!.chunkId)
      ).stores.map((each) => each.nodeId),
    ).not.toContain("n0");
    expect(await read(cluster)).toEqual(bytes);
  });
});
