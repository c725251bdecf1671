import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { fixed } from "@ashlar/sdk";
import {
  type CollectOptions,
  type CollectReport,
  collect,
  createEngine,
  singleStoreTopology,
} from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { KIB, LIMITS } from "@ashlar/sdk/limits";
import {
  type Clock,
  type MetadataStore,
  type ObjectEngine,
  silentLogger,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectCode } from "../support/expect-code.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { readAll, testBytes } from "../support/test-bytes.ts";

const CHUNK = 64 * KIB;
const DAY_MS = LIMITS.CLAIM_TTL_MS;
const BYTES = testBytes(3 * CHUNK);
const REF = { bucket: "box", key: "key" };

let folder: TempFolder;
let clock: ManualClock;
let storeClock: Clock;
let metadata: MetadataStore;
let engine: ObjectEngine;

/** @param catalog what the engine sees of the metadata. */
async function open(catalog: MetadataStore = metadata): Promise<ObjectEngine> {
  const store = await openFsChunkStore({ path: folder.path, clock: storeClock });
  return createEngine({
    ...{ catalog, topology: singleStoreTopology(store), hasher: nodeCryptoHasher, clock: storeClock },
    ...{ random: systemRandom, logger: silentLogger, chunker: fixed(CHUNK), inlineMaxBytes: 0 },
  });
}

beforeEach(async () => {
  folder = await createTempFolder();
  // A whole second, which a file's time keeps exactly: with one more nanosecond in a claim, a step of a whole day would be too short.
  clock = createManualClock(Math.floor(Date.now() / 1000) * 1000);
  storeClock = { ...clock, sleep: systemClock.sleep };
  metadata = createMemoryMetadataStore({ clock });
  engine = await open();
  await engine.createBucket("box");
});

afterEach(async () => {
  await engine.close();
  await folder[Symbol.asyncDispose]();
});

/** Collects like a process that has just opened the folder. */
async function collectAnew(times: Pick<CollectOptions, "graceMs" | "claimTtlMs"> = {}): Promise<CollectReport> {
  const topology = singleStoreTopology(await openFsChunkStore({ path: folder.path, clock: storeClock }));
  try {
    return await collect({ metadata, topology, clock, logger: silentLogger, ...times });
  } finally {
    await topology.close();
  }
}

/** A body of three chunks; `meanwhile` runs when two of them are stored. */
async function* body(meanwhile: () => Promise<unknown>): AsyncGenerator<Uint8Array> {
  yield BYTES.subarray(0, 2 * CHUNK);
  yield BYTES.subarray(2 * CHUNK, 2 * CHUNK + 1);
  const stored = async (): Promise<number> => {
    const store = await openFsChunkStore({ path: folder.path });
    const { chunks } = await store.listChunks().finally(() => store.close());
    return chunks.length;
  };
  await expect.poll(stored).toBe(2);
  await meanwhile();
  yield BYTES.subarray(2 * CHUNK + 1);
}

const put = (meanwhile: () => Promise<unknown>): ReturnType<ObjectEngine["putObject"]> =>
  engine.putObject({ ...REF, attributes: {} }, body(meanwhile));

describe("while an upload runs, the wall clock", () => {
  test.each([2 * DAY_MS, DAY_MS])("steps forward by %i ms: no acknowledgement without the bytes", async (stepMs) => {
    let report: CollectReport | undefined;
    const putting = put(async () => {
      clock.stepWall(stepMs);
      report = await collectAnew();
    });
    await expectCode(putting, "CLAIM_EXPIRED");
    expect(report?.orphansDeleted).toBe(2);
    await expectCode(engine.headObject(REF), "OBJECT_NOT_FOUND");
    await put(async () => {});
    expect(await readAll((await engine.openObject(REF)).read())).toEqual(BYTES);
  });

  test("steps forward and, after a chunk was put, back again: the upload is not acknowledged without its bytes", async () => {
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield* body(async () => {
        clock.stepWall(2 * DAY_MS);
        await collectAnew();
      });
      yield testBytes(CHUNK, 2);
      clock.stepWall(-2 * DAY_MS);
    }
    await expectCode(engine.putObject({ ...REF, attributes: {} }, slow()), "CLAIM_EXPIRED");
    await expectCode(engine.headObject(REF), "OBJECT_NOT_FOUND");
  });

  test("steps back: the upload does not get younger", async () => {
    const putting = put(async () => {
      clock.stepWall(-2 * DAY_MS);
      clock.advance(DAY_MS);
    });
    await expectCode(putting, "CLAIM_EXPIRED");
  });

  test("steps back, or forward by less than claims last: nobody deletes its chunks", async () => {
    for (const stepMs of [-2 * DAY_MS, 22 * 3_600_000]) {
      const ref = { bucket: "box", key: String(stepMs) };
      const slow = body(async () => {
        clock.stepWall(stepMs);
        expect(await collectAnew()).toMatchObject({ orphansDeleted: 0, chunksDeleted: 0 });
      });
      await engine.putObject({ ...ref, attributes: {} }, slow);
      expect(await readAll((await engine.openObject(ref)).read())).toEqual(BYTES);
      await engine.deleteObject(ref);
      await collectAnew({ graceMs: 0, claimTtlMs: 0 });
    }
  });

  test("steps forward: a part of it is refused in the same way", async () => {
    const { uploadId } = await engine.createUpload({ ...REF, attributes: {} });
    const slow = body(async () => {
      clock.stepWall(2 * DAY_MS);
      await collectAnew();
    });
    await expectCode(engine.writePart({ uploadId, partNumber: 1 }, slow), "CLAIM_EXPIRED");
    expect((await engine.listParts({ uploadId })).parts).toEqual([]);
  });
});

/** The machine sleeps between two tries of a commit, and another process collects as soon as it wakes. */
test("each try of a commit looks at the age of the claims", async () => {
  await engine.close();
  let tries = 0;
  engine = await open({
    ...metadata,
    async commitObject(request, options) {
      if (tries++ > 0) return await metadata.commitObject(request, options);
      clock.stepWall(2 * DAY_MS);
      await collectAnew();
      throw new AshlarError("METADATA_UNAVAILABLE", "the database is locked");
    },
  });
  await expectCode(
    put(async () => {}),
    "CLAIM_EXPIRED",
  );
  await expectCode(engine.headObject(REF), "OBJECT_NOT_FOUND");
});
