import { createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { MIB } from "@ashlar/sdk/limits";
import { type ObjectEngine, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMemoryChunkStore } from "../chunk-store/memory.ts";
import { nodeCryptoHasher } from "../hash/node-crypto.ts";
import { flipBit, type RawSubject } from "../internal/raw-subject.ts";
import { createRawPostgres } from "./postgres/testing/postgres-subject.ts";
import { createRawSqlite } from "./sqlite/testing/sqlite-subject.ts";

const INLINE = { bucket: "box", key: "inline" };
const CHUNKED = { bucket: "box", key: "chunked" };
const WHERE = "bucket = 'box' AND key = $1";

for (const [name, create] of Object.entries({ sqlite: createRawSqlite, postgres: createRawPostgres })) {
  describe(`one flipped bit in ${name}`, { timeout: 60_000 }, () => {
    let subject: RawSubject;
    let engine: ObjectEngine;
    const small = new Uint8Array(3000).map((_, index) => index);
    const large = new Uint8Array(3 * MIB).map((_, index) => index >> 5);

    beforeAll(async () => {
      subject = await create();
      engine = createEngine({
        ...{ catalog: subject.store, topology: singleStoreTopology(createMemoryChunkStore()) },
        ...{ hasher: nodeCryptoHasher, clock: systemClock, random: systemRandom, logger: silentLogger },
      });
      await engine.createBucket("box");
      const attributes = { contentType: "text/plain", metadata: { name: "value" } };
      for (const [ref, bytes] of [
        [INLINE, small],
        [CHUNKED, large],
      ] as const) {
        await engine.putObject(
          { ...ref, attributes },
          (async function* () {
            yield bytes;
          })(),
        );
      }
    }, 60_000);

    afterAll(async () => {
      await engine.close();
      await subject.dispose();
    });

    async function readAll(ref: { readonly bucket: string; readonly key: string }): Promise<Uint8Array> {
      const parts: Uint8Array[] = [];
      for await (const part of (await engine.openObject(ref)).read()) parts.push(part);
      return Buffer.concat(parts);
    }

    /** Flips bits one after the other, tries every call that reads the value, and puts the value back. */
    async function expectNoticed(options: {
      readonly table: string;
      readonly column: string;
      readonly where: string;
      readonly params: readonly unknown[];
      readonly calls: ReadonlyArray<() => Promise<unknown>>;
    }): Promise<void> {
      const { table, column, where, params, calls } = options;
      const [row] = await subject.raw.query(`SELECT ${column} AS value FROM ${table} WHERE ${where}`, params);
      const set = `UPDATE ${table} SET ${column} = $${params.length + 1} WHERE ${where}`;
      for (const bit of [0, 37, 101, 203, 2_000, 5_431]) {
        await subject.raw.query(set, [...params, flipBit(row?.value, bit)]);
        for (const call of calls) {
          const failure = await call().then(
            (answer) => answer,
            (error: unknown) => error,
          );
          expect(AshlarError.is(failure) ? failure.code : failure, `${column}, bit ${bit}`).toBe("METADATA_CORRUPT");
        }
      }
      await subject.raw.query(set, [...params, row?.value]);
    }

    const keyOf = (text: string): Uint8Array => Buffer.from(text);
    const read = (ref: typeof INLINE) => (): Promise<unknown> => readAll(ref);
    const head = (ref: typeof INLINE) => (): Promise<unknown> => engine.headObject(ref);
    const copy = (ref: typeof INLINE) => (): Promise<unknown> =>
      engine.copyObject({ sourceBucket: ref.bucket, sourceKey: ref.key, bucket: "box", key: "copy" });
    const list = (): Promise<unknown> => engine.listObjects({ bucket: "box" });

    test("of inline bytes is METADATA_CORRUPT, never bytes, and is not copied", async () => {
      const calls = [read(INLINE), copy(INLINE)];
      await expectNoticed({ table: "objects", column: "inline_data", where: WHERE, params: [keyOf("inline")], calls });
    });

    for (const column of ["attributes", "etag", "sha256", "object_version", "durability"]) {
      test(`of ${column} is METADATA_CORRUPT in every call that reads it`, async () => {
        for (const ref of [INLINE, CHUNKED]) {
          const calls = [read(ref), head(ref), copy(ref), list];
          await expectNoticed({ table: "objects", column, where: WHERE, params: [keyOf(ref.key)], calls });
        }
      });
    }

    test("of a row does not hide the page before it", async () => {
      const [first, second] = [INLINE, CHUNKED].sort((a, b) => (a.key < b.key ? -1 : 1));
      const key = keyOf(second?.key ?? "");
      const [row] = await subject.raw.query(`SELECT etag AS value FROM objects WHERE ${WHERE}`, [key]);
      const set = `UPDATE objects SET etag = $2 WHERE ${WHERE}`;
      await subject.raw.query(set, [key, "rotten"]);
      const page = await engine.listObjects({ bucket: "box", limit: 1 });
      expect(page.objects.map(({ key }) => key)).toEqual([first?.key]);
      const next = engine.listObjects({ bucket: "box", limit: 1, cursor: page.nextCursor });
      await expect(next).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
      await subject.raw.query(set, [key, row?.value]);
    });

    test("of a manifest's segments is METADATA_CORRUPT", async () => {
      await expectNoticed({
        ...{ table: "manifest_segments", column: "data", where: "start_offset = $1", params: [0] },
        calls: [read(CHUNKED)],
      });
    });

    test("of the attributes of an upload is METADATA_CORRUPT", async () => {
      const upload = await engine.createUpload({ ...INLINE, attributes: { contentType: "text/html" } });
      await expectNoticed({
        ...{ table: "uploads", column: "attributes", where: "upload_id = $1", params: [upload.uploadId] },
        calls: [
          () => engine.listUploads({ bucket: "box" }),
          () => subject.store.getUpload(upload.uploadId),
          () => engine.completeUpload({ uploadId: upload.uploadId, parts: [{ partNumber: 1, etag: "x" }] }),
        ],
      });
      await engine.abortUpload(upload.uploadId);
    });

    test("of the digest or etag of a part is METADATA_CORRUPT", async () => {
      const { uploadId } = await engine.createUpload({ ...INLINE, attributes: {} });
      const part = await engine.writePart(
        { uploadId, partNumber: 1 },
        (async function* () {
          yield small;
        })(),
      );
      for (const column of ["sha256", "etag"]) {
        await expectNoticed({
          ...{ table: "manifest_parts", column, where: "manifest_id = $1", params: [uploadId] },
          calls: [
            () => engine.listParts({ uploadId }),
            () => engine.completeUpload({ uploadId, parts: [{ partNumber: 1, etag: part.etag }] }),
          ],
        });
      }
      await engine.abortUpload(uploadId);
    });

    test("of sizes and times is METADATA_CORRUPT too", async () => {
      for (const column of ["size_bytes", "created_at_ms"]) {
        const change = (by: number): Promise<unknown> =>
          subject.raw.query(`UPDATE objects SET ${column} = ${column} + ${by} WHERE ${WHERE}`, [keyOf("chunked")]);
        await change(1);
        for (const call of [read(CHUNKED), head(CHUNKED), list]) {
          await expect(call()).rejects.toMatchObject({ code: "METADATA_CORRUPT" });
        }
        await change(-1);
      }
    });

    test("once it is back, all is as it was; rows and segments of release 0.1, without checksums, are read", async () => {
      expect(Buffer.compare(await readAll(INLINE), small)).toBe(0);
      const bare = JSON.stringify({ contentType: "text/plain" });
      await subject.raw.query(`UPDATE objects SET attributes = $2 WHERE ${WHERE}`, [keyOf("chunked"), bare]);
      const [segment] = await subject.raw.query("SELECT data FROM manifest_segments");
      const written = Buffer.from(segment?.data as Uint8Array);
      const data = Buffer.concat([Buffer.from("41534701", "hex"), written.subarray(8, -4)]);
      await subject.raw.query("UPDATE manifest_segments SET data = $1", [data]);
      await subject.raw.query("UPDATE manifest_parts SET etag = 'bare'");
      expect(Buffer.compare(await readAll(CHUNKED), large)).toBe(0);
      expect((await engine.headObject(CHUNKED)).attributes).toEqual({ contentType: "text/plain" });
    });
  });
}
