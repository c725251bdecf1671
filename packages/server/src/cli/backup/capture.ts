import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkRef, ChunkStore, LocatedChunk, ObjectEngine, ObjectInfo, OpenedObject } from "@ashlar/sdk/ports";

/** Puts the chunks of objects into a folder of backups. */
export interface Capture {
  readonly engine: Pick<ObjectEngine, "openObject">;
  readonly chunks: Pick<ChunkStore, "hasChunks" | "putChunk">;
  /** Chunks that one object reads at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Called for each chunk that the folder has, with how it came there. */
  readonly onChunk: (chunk: { readonly sizeBytes: number; readonly isNew: boolean }) => void;
}

/** Takes what a capture finds, in order. */
export interface CaptureSink {
  object(info: ObjectInfo): Promise<void>;
  /** Chunks that the folder has durably once the capture ends. */
  chunks(chunks: readonly ChunkRef[]): Promise<void>;
  /** The object was replaced meanwhile: what was given of it does not count. */
  again(): Promise<void>;
}

/** What became of an object. `gone`: it was deleted. */
export type Captured = "captured" | "gone" | { readonly problem: string };

/** Tries with only the chunks that the folder lacks. A key that is replaced more often than it can be read so is then read in one go. */
const TRIES = 4;
/** Chunks that are looked for at once, and at most read by one call. */
const BATCH = 256;

/**
 * Brings one object as it is now, and its chunks, into the folder. Whatever happens to the key meanwhile, what the sink has at the end is one object
 * version, whole: if the version goes away under the reader, the newest one is taken.
 *
 * Memory: `concurrency` chunks that are read and as many that are written.
 *
 * @returns `problem` if the object is there and the store cannot read it.
 * @throws {AshlarError} what a store or a disk that does not answer throws.
 */
export async function captureObject(
  capture: Capture,
  ref: { readonly bucket: string; readonly key: string },
  sink: CaptureSink,
): Promise<Captured> {
  for (let attempt = 1; ; attempt++) {
    let opened: OpenedObject | undefined;
    try {
      const { signal, concurrency } = capture;
      opened = await capture.engine.openObject(ref, { signal, concurrency });
      await sink.object(opened.info);
      await (attempt > TRIES || opened.chunks === undefined
        ? captureAll(capture, opened, sink)
        : captureLacking(capture, opened, sink));
      return "captured";
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      await sink.again();
      const verdict = await verdictOn(capture, error, { ref, opened });
      // Replaced again and again, with an old manifest that was collected under the reader each time: an hour each.
      if (verdict !== "again") return verdict;
      if (attempt > TRIES * 2) throw error;
    }
  }
}

/** Chunks of the object that are not in the folder yet, run after run; all of them are told to the sink. */
async function captureLacking(capture: Capture, opened: OpenedObject, sink: CaptureSink): Promise<void> {
  let batch: LocatedChunk[] = [];
  const finish = async (): Promise<void> => {
    await captureBatch(capture, opened.info, batch);
    await sink.chunks(batch.map(({ chunkId, sizeBytes }) => ({ chunkId, sizeBytes })));
    batch = [];
  };
  for await (const chunk of opened.chunks?.() ?? []) {
    batch.push(chunk);
    if (batch.length === BATCH) await finish();
  }
  if (batch.length > 0) await finish();
}

async function captureBatch(capture: Capture, info: ObjectInfo, batch: readonly LocatedChunk[]): Promise<void> {
  const { chunks, signal, onChunk } = capture;
  const ids = batch.map(({ chunkId }) => chunkId);
  const there = await chunks.hasChunks(ids, { claim: false, signal });
  let run: LocatedChunk[] = [];
  /** Chunks of this batch so far: one that occurs again (a file of zeros) is read once. */
  const seen = new Set<string>();
  for (const [index, chunk] of batch.entries()) {
    const id = encodeHex(chunk.chunkId);
    const isLacking = there[index]?.sizeBytes !== chunk.sizeBytes && !seen.has(id);
    seen.add(id);
    if (isLacking) run.push(chunk);
    else {
      onChunk({ sizeBytes: chunk.sizeBytes, isNew: false });
      await captureRun(capture, info, run);
      run = [];
    }
  }
  await captureRun(capture, info, run);
}

/** Chunks that follow each other. A range that begins and ends with chunks gives each whole, checked against its digest by the engine. */
async function captureRun(capture: Capture, info: ObjectInfo, run: readonly LocatedChunk[]): Promise<void> {
  const [first] = run;
  const last = run.at(-1);
  if (first === undefined || last === undefined) return;
  const { bucket, key, objectVersion } = info;
  const range = { offset: first.offset, length: last.offset + last.sizeBytes - first.offset };
  const { signal, concurrency } = capture;
  const request = { bucket, key, objectVersion, range, verify: "chunks" } as const;
  const opened = await capture.engine.openObject(request, { signal, concurrency });
  const puts = createPuts(capture);
  try {
    let index = 0;
    for await (const bytes of opened.read()) await puts.begin(run[index++], bytes);
    if (index !== run.length)
      throw new AshlarError("METADATA_CORRUPT", `${bucket}/${key} has other chunks than it names`);
  } finally {
    await puts.ended();
  }
  puts.assertDone();
}

/** All bytes in one go, which an overwrite or a delete does not interrupt; for inline objects too. */
async function captureAll(capture: Capture, opened: OpenedObject, sink: CaptureSink): Promise<void> {
  const puts = createPuts(capture);
  try {
    for await (const bytes of opened.read()) {
      // An inline object is one chunk here; its digest is the object's.
      const chunk = { chunkId: await nodeCryptoHasher.digest(bytes), sizeBytes: bytes.byteLength };
      await puts.begin(chunk, bytes);
      await sink.chunks([chunk]);
    }
  } finally {
    await puts.ended();
  }
  puts.assertDone();
}

/** Writes chunks side by side, at most `concurrency` of them. */
interface Puts {
  /** Waits until there is room, and begins. */
  begin(chunk: ChunkRef | undefined, bytes: Uint8Array): Promise<void>;
  /** Waits for all that were begun. */
  ended(): Promise<void>;
  /** @throws what the first put threw that failed. */
  assertDone(): void;
}

function createPuts({ chunks, concurrency, signal, onChunk }: Capture): Puts {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const put = async ({ chunkId, sizeBytes }: ChunkRef, bytes: Uint8Array): Promise<void> => {
    try {
      // The store computes the digest again: bytes that are not the chunk's are never filed under its name.
      const { alreadyPresent } = await chunks.putChunk(chunkId, bytes, { signal });
      onChunk({ sizeBytes, isNew: !alreadyPresent });
    } catch (error) {
      failures.push(error);
    }
  };
  const assertDone = (): void => {
    if (failures.length > 0) throw failures[0];
  };
  return {
    async begin(chunk, bytes) {
      if (chunk === undefined || chunk.sizeBytes !== bytes.byteLength)
        throw new AshlarError("CHUNK_CORRUPT", "the store gave other bytes than its manifest names");
      while (running.size >= concurrency) await Promise.race(running);
      assertDone();
      const done = put(chunk, bytes).finally(() => running.delete(done));
      running.add(done);
    },
    async ended() {
      await Promise.all(running);
    },
    assertDone,
  };
}

/** What a failed try means: try again, nothing to have, or bytes that the store has lost. @throws {AshlarError} everything else. */
async function verdictOn(
  { engine, signal }: Capture,
  error: AshlarError,
  {
    ref,
    opened,
  }: { readonly ref: { readonly bucket: string; readonly key: string }; readonly opened: OpenedObject | undefined },
): Promise<Captured | "again"> {
  if (signal.aborted) throw error;
  const isAbsent = error.code === "OBJECT_NOT_FOUND" || error.code === "BUCKET_NOT_FOUND";
  if (isAbsent) return opened === undefined ? "gone" : "again";
  const isLost = ["CHUNK_MISSING", "CHUNK_CORRUPT", "CHECKSUM_MISMATCH", "METADATA_CORRUPT"].includes(error.code);
  if (!isLost) throw error;
  if (opened === undefined) return { problem: error.message };
  try {
    const now = await engine.openObject(ref, { signal });
    return now.info.objectVersion === opened.info.objectVersion ? { problem: error.message } : "again";
  } catch (thrown) {
    const absent = AshlarError.from(thrown);
    if (absent.code === "OBJECT_NOT_FOUND" || absent.code === "BUCKET_NOT_FOUND") return "gone";
    if (absent.code === "METADATA_CORRUPT") return { problem: error.message };
    throw absent;
  }
}
