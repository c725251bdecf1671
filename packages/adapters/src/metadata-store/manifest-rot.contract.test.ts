import { createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { sha256Sync } from "@ashlar/sdk/hash";
import { chunkedEtag } from "@ashlar/sdk/manifest";
import {
  type ByteRange,
  type ChunkRef,
  type ObjectEngine,
  silentLogger,
  systemClock,
  systemRandom,
} from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMemoryChunkStore } from "../chunk-store/memory.ts";
import { nodeCryptoHasher } from "../hash/node-crypto.ts";
import { flipBit, type RawSubject } from "../internal/raw-subject.ts";
import { createRawPostgres } from "./postgres/testing/postgres-subject.ts";
import { createRawSqlite } from "./sqlite/testing/sqlite-subject.ts";

const BUCKET = "box";
const CHUNK_BYTES = 16;
/** More than a page has, so that further pages are asked for. */
const CHUNKS = 1100;
/** Chunks of the parts of an upload; two are of one size. */
const PARTS = [500, 500, 100];
/** Two objects put at once and two as uploads, so that the rows that are exchanged have the same size. */
const KEYS = ["single-1", "single-2", "parts-1", "parts-2"] as const;
type Key = (typeof KEYS)[number];

type Row = Readonly<Record<string, unknown>>;

/** Columns that identify a row. */
const PRIMARY_KEYS = {
  manifests: ["manifest_id"],
  manifest_parts: ["part_id"],
  manifest_segments: ["part_id", "start_offset"],
} as const;
type Table = keyof typeof PRIMARY_KEYS;

const COLUMNS: Readonly<Record<Table, readonly string[]>> = {
  manifests: ["manifest_id", "state", "size_bytes"],
  manifest_parts: [
    ...["part_id", "manifest_id", "part_number", "start_offset", "size_bytes", "chunk_count", "etag", "sha256"],
    ...["created_at_ms", "released_at_ms"],
  ],
  manifest_segments: ["part_id", "start_offset", "size_bytes", "chunk_count", "data"],
};

/** Values that a column may have after one bit flipped. */
function rotten(column: string, value: unknown): readonly unknown[] {
  if (value === null) return column === "sha256" ? ["0"] : [1];
  if (value instanceof Uint8Array) return [5, 33, 37, 70, 900].map((bit) => flipBit(value, bit));
  if (typeof value === "string" && !/^[0-9]{1,16}$/.test(value)) return [1, 70].map((bit) => flipBit(value, bit));
  return [4, 13].map((bit) => Number(BigInt(Number(value)) ^ (1n << BigInt(bit))));
}

for (const [name, create] of Object.entries({ sqlite: createRawSqlite, postgres: createRawPostgres })) {
  describe(`the rows of a manifest in ${name}`, { timeout: 120_000 }, () => {
    let subject: RawSubject;
    let engine: ObjectEngine;
    const bodies = new Map<Key, Buffer>();

    beforeAll(async () => {
      subject = await create();
      const chunkStore = createMemoryChunkStore();
      engine = createEngine({
        ...{ catalog: subject.store, topology: singleStoreTopology(chunkStore) },
        ...{ hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger },
      });
      await engine.createBucket(BUCKET);
      for (const key of KEYS) {
        const pieces = Array.from({ length: CHUNKS }, (_, index) => Buffer.from(`${key} ${index}`.padEnd(CHUNK_BYTES)));
        const chunks: ChunkRef[] = pieces.map((bytes) => ({ chunkId: sha256Sync(bytes), sizeBytes: CHUNK_BYTES }));
        for (const [index, bytes] of pieces.entries()) await chunkStore.putChunk(chunks[index]!.chunkId, bytes);
        bodies.set(key, Buffer.concat(pieces));
        await (key.startsWith("single") ? commitOnce(key, chunks) : commitParts(key, chunks));
      }
    }, 120_000);

    afterAll(async () => {
      await engine.close();
      await subject.dispose();
    });

    const contentOf = (chunks: readonly ChunkRef[]) => ({
      sizeBytes: chunks.length * CHUNK_BYTES,
      etag: chunkedEtag(chunks.map(({ chunkId }) => chunkId)),
      content: { chunks },
    });
    const target = { bucket: BUCKET, durability: "strict", attributes: {} } as const;

    async function commitOnce(key: Key, chunks: readonly ChunkRef[]): Promise<void> {
      await subject.store.commitObject({ ...target, key, ...contentOf(chunks) });
    }

    async function commitParts(key: Key, chunks: readonly ChunkRef[]): Promise<void> {
      const { uploadId } = await subject.store.createUpload({ ...target, key });
      const parts: Array<{ readonly partNumber: number; readonly etag: string }> = [];
      let first = 0;
      for (const [index, size] of PARTS.entries()) {
        const content = contentOf(chunks.slice(first, first + size));
        first += size;
        parts.push(await subject.store.putPart({ uploadId, partNumber: index * 100 + 1, ...content }));
      }
      await subject.store.completeUpload({
        uploadId,
        parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
      });
    }

    /** What a read gives: `right`, `wrong`, or the code of its error. */
    async function look(key: Key, range?: ByteRange, verify?: "chunks"): Promise<string> {
      const body = bodies.get(key)!;
      const { offset = 0, length = body.byteLength } = range ?? {};
      try {
        const opened = await engine.openObject({ bucket: BUCKET, key, range, verify });
        const slices: Uint8Array[] = [];
        for await (const slice of opened.read()) slices.push(slice);
        return Buffer.concat(slices).equals(body.subarray(offset, offset + length)) ? "right" : "wrong";
      } catch (error) {
        return AshlarError.is(error) ? error.code : String(error);
      }
    }

    /** Offsets in each part, and in the first page and the second one. */
    const RANGES: readonly ByteRange[] = [0, 8_005, 8_500, 15_997, 16_383, 17_000].map((offset) => ({
      offset,
      length: 100,
    }));

    /** Reads all of an object and ranges of it; each range must be right or refused. @returns what the read of all of it gave. */
    async function lookAtAll(key: Key, what: string): Promise<string> {
      for (const range of RANGES) {
        for (const verify of [undefined, "chunks"] as const) {
          const seen = await look(key, range, verify);
          expect(seen, `${what}, ${key} from ${range.offset}`).toMatch(/^(right|METADATA_CORRUPT)$/);
        }
      }
      return look(key);
    }

    const rowsOf = (key: Key, table: Table): Promise<readonly Row[]> => {
      const manifest = `SELECT manifest_id FROM objects WHERE key = $1`;
      const where =
        table === "manifest_segments"
          ? `part_id IN (SELECT part_id FROM manifest_parts WHERE manifest_id IN (${manifest}))`
          : `manifest_id IN (${manifest})`;
      return subject.raw.query(`SELECT * FROM ${table} WHERE ${where} ORDER BY 1, 2`, [Buffer.from(key)]);
    };

    async function write(table: Table, row: Row, changes: Row): Promise<void> {
      const set = Object.keys(changes);
      const keys = PRIMARY_KEYS[table];
      await subject.raw.query(
        `UPDATE ${table} SET ${set.map((column, index) => `${column} = $${index + 1}`).join(", ")}
          WHERE ${keys.map((column, index) => `${column} = $${set.length + index + 1}`).join(" AND ")}`,
        [...Object.values(changes), ...keys.map((column) => row[column])],
      );
    }

    for (const [table, columns] of Object.entries(COLUMNS) as ReadonlyArray<[Table, readonly string[]]>) {
      for (const column of columns) {
        test(`are never read with one flipped bit in ${table}.${column}`, async () => {
          for (const key of ["single-1", "parts-1"] as const) {
            for (const row of await rowsOf(key, table)) {
              for (const value of rotten(column, row[column])) {
                await write(table, row, { [column]: value });
                const seen = await lookAtAll(key, `${column} ${String(row[column])} as ${String(value)}`);
                expect(seen, `${key}: ${column} ${String(row[column])} as ${String(value)}`).toBe("METADATA_CORRUPT");
                await write(table, { ...row, [column]: value }, { [column]: row[column] });
              }
            }
            expect(await lookAtAll(key, "put back")).toBe("right");
          }
        });
      }
    }

    async function expectExchangeNoticed(
      table: Table,
      column: string,
      [first, second]: readonly [Row, Row],
      keys: readonly Key[],
    ): Promise<void> {
      await write(table, first, { [column]: second[column] });
      await write(table, second, { [column]: first[column] });
      for (const key of keys)
        expect(await lookAtAll(key, `${table}.${column} exchanged`), key).toBe("METADATA_CORRUPT");
      await write(table, first, { [column]: first[column] });
      await write(table, second, { [column]: second[column] });
      for (const key of keys) expect(await look(key)).toBe("right");
    }

    test("are never read when segments of equal size are exchanged, between objects or within one", async () => {
      const pairs = [
        ["single-1", "single-2"],
        ["parts-1", "parts-2"],
      ] as const;
      for (const keys of pairs) {
        const [ours, theirs] = [await rowsOf(keys[0], "manifest_segments"), await rowsOf(keys[1], "manifest_segments")];
        const twin = theirs.find((row) => row.size_bytes === ours[0]!.size_bytes)!;
        await expectExchangeNoticed("manifest_segments", "data", [ours[0]!, twin], keys);
      }
      const [first, second] = (await rowsOf("parts-1", "manifest_segments")).filter(
        (row) => Number(row.chunk_count) === PARTS[0],
      );
      await expectExchangeNoticed("manifest_segments", "data", [first!, second!], ["parts-1"]);
    });

    test("are never read when parts of equal size are exchanged, between objects or within one", async () => {
      const ours = (await rowsOf("parts-1", "manifest_parts")).filter((row) => Number(row.chunk_count) === PARTS[0]);
      await expectExchangeNoticed("manifest_parts", "start_offset", [ours[0]!, ours[1]!], ["parts-1"]);
      const theirs = await rowsOf("parts-2", "manifest_parts");
      const twin = theirs.find((row) => row.part_number === ours[0]!.part_number)!;
      for (const column of ["sha256", "etag"]) {
        if (ours[0]![column] === twin[column]) continue;
        await expectExchangeNoticed("manifest_parts", column, [ours[0]!, twin], ["parts-1", "parts-2"]);
      }
    });

    test("tell an offset past the end from a wrong size", async () => {
      const stored = await subject.store.getObject({ bucket: BUCKET, key: "parts-1" });
      const manifestId = stored!.manifestId!;
      const sizeBytes = CHUNKS * CHUNK_BYTES;
      const past = { manifestId, fromOffset: sizeBytes };
      expect(await subject.store.getManifestPage(past)).toEqual({ chunks: [] });
      const [row] = await rowsOf("parts-1", "manifests");
      for (const wrong of [sizeBytes - 16, sizeBytes - 1600, 0]) {
        await write("manifests", row!, { size_bytes: wrong });
        await expect(subject.store.getManifestPage(past)).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
      }
      await write("manifests", row!, { size_bytes: sizeBytes });
    });
  });
}
