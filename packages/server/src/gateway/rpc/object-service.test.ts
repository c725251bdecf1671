/** The RPCs that the SDK's own seats do not use, and the limits of all, called over HTTP/2 by a client that is not the SDK's. */
import { createHash, randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { ClusterService, ErrorReason, ObjectService } from "@ashlar/sdk/rpc";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf } from "../testing/direct-client.ts";
import { startTestGateway, type TestGateway } from "../testing/start-test-gateway.ts";

const BUCKET = "rpc-bucket";
let test: TestGateway;
let objects: Client<typeof ObjectService>;
let readonlyObjects: Client<typeof ObjectService>;
let cluster: Client<typeof ClusterService>;

beforeAll(async () => {
  test = await startTestGateway({
    metadata: createMemoryMetadataStore(),
    topology: singleStoreTopology(createMemoryChunkStore()),
    hasher: nodeCryptoHasher,
  });
  const transportOf = (key: string): ReturnType<typeof createGrpcTransport> => {
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${key}`);
      return next(request);
    };
    return createGrpcTransport({ baseUrl: test.url, acceptCompression: [], interceptors: [authorize] });
  };
  objects = createClient(ObjectService, transportOf(test.keys.readwrite));
  readonlyObjects = createClient(ObjectService, transportOf(test.keys.readonly));
  cluster = createClient(ClusterService, transportOf(test.keys.admin));
  await objects.createBucket({ bucket: BUCKET });
});

afterAll(async () => {
  await test.close();
});

type PutMessage = Parameters<typeof objects.putObject>[0] extends AsyncIterable<infer Message> ? Message : never;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function* putMessages(
  key: string,
  bytes: Uint8Array,
  more: object = {},
  frameBytes = 65_536,
): AsyncGenerator<PutMessage> {
  yield { payload: { case: "header", value: { bucket: BUCKET, key, ...more } } };
  for (let start = 0; start < bytes.length; start += frameBytes) {
    yield { payload: { case: "frame", value: bytes.subarray(start, start + frameBytes) } };
  }
}

async function read(
  request: Parameters<typeof objects.getObject>[0],
): Promise<{ info: object; frames: Uint8Array[]; bytes: Buffer }> {
  const frames: Uint8Array[] = [];
  let info: object | undefined;
  for await (const { payload } of readonlyObjects.getObject(request)) {
    if (payload.case === "opened")
      info = { ...payload.value.info, offset: payload.value.offset, length: payload.value.length };
    if (payload.case === "frame") frames.push(payload.value);
  }
  expect(info).toBeDefined();
  return { info: info ?? {}, frames, bytes: Buffer.concat(frames) };
}

describe("PutObject", () => {
  it.each([0, 1, 32_768, 32_769, 4_194_304, 9_000_000])("writes %i bytes of unknown length", async (sizeBytes) => {
    const bytes = randomBytes(sizeBytes);
    const { outcome } = await objects.putObject(putMessages("sized", bytes, { sha256: sha256(bytes) }));
    expect(outcome).toMatchObject({ info: { sizeBytes: BigInt(sizeBytes), sha256: sha256(bytes) }, replicas: 1 });
    expect((await read({ bucket: BUCKET, key: "sized" })).bytes.equals(bytes)).toBe(true);
  });

  it("refuses streams that break the rules, and keeps nothing of them", async () => {
    const bytes = randomBytes(100_000);
    async function* noHeader(): AsyncGenerator<PutMessage> {
      yield { payload: { case: "frame", value: bytes } };
    }
    async function* nothing(): AsyncGenerator<PutMessage> {}
    async function* twoHeaders(): AsyncGenerator<PutMessage> {
      yield* putMessages("bad", bytes);
      yield* putMessages("bad", bytes);
    }
    const put = (messages: AsyncIterable<PutMessage>): Promise<string> => codeOf(objects.putObject(messages));
    expect(await put(noHeader())).toBe("INVALID_ARGUMENT");
    expect(await put(nothing())).toBe("INVALID_ARGUMENT");
    expect(await put(twoHeaders())).toBe("INVALID_ARGUMENT");
    expect(await put(putMessages("bad", bytes, { sizeBytes: 99_999n }))).toBe("INVALID_ARGUMENT");
    expect(await put(putMessages("bad", bytes, { sizeBytes: 100_001n }))).toBe("INVALID_ARGUMENT");
    expect(await put(putMessages("bad", bytes, { sha256: "0".repeat(64) }))).toBe("CHECKSUM_MISMATCH");
    expect(await put(putMessages("bad", bytes, { bucket: "nowhere" }))).toBe("BUCKET_NOT_FOUND");
    expect(await put(putMessages("", bytes))).toBe("INVALID_ARGUMENT");
    expect(await put(putMessages("bad", bytes, { sizeBytes: 2n ** 60n }))).toBe("INVALID_ARGUMENT");
    expect(await put(putMessages("bad", bytes, { sizeBytes: 2n ** 50n }))).toBe("OBJECT_TOO_LARGE");
    expect(await put(putMessages("bad", randomBytes(3_000_000), {}, 1_048_577))).not.toBe("none");
    expect(await codeOf(readonlyObjects.putObject(putMessages("bad", bytes)))).toBe("PERMISSION_DENIED");
    expect(await codeOf(objects.headObject({ bucket: BUCKET, key: "bad" }))).toBe("OBJECT_NOT_FOUND");
  });

  it("refuses early what cannot succeed, though the body never ends", async () => {
    async function* endless(header: object): AsyncGenerator<PutMessage> {
      yield* putMessages("endless", new Uint8Array(0), header);
      for (;;) {
        yield { payload: { case: "frame", value: new Uint8Array(1000) } };
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    expect(await codeOf(objects.putObject(endless({ bucket: "nowhere" })))).toBe("BUCKET_NOT_FOUND");
    expect(await codeOf(objects.putObject(endless({ condition: { ifMatch: "none" } })))).toBe("PRECONDITION_FAILED");
  });

  it("that the client aborts leaves nothing", async () => {
    const abort = new AbortController();
    async function* slow(): AsyncGenerator<PutMessage> {
      yield* putMessages("aborted", randomBytes(5_000_000));
      abort.abort();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(await codeOf(objects.putObject(slow(), { signal: abort.signal }))).toBe("CANCELED");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await codeOf(objects.headObject({ bucket: BUCKET, key: "aborted" }))).toBe("OBJECT_NOT_FOUND");
  });

  it("does not read ahead of the engine without bound", async () => {
    let sentBytes = 0;
    async function* counted(): AsyncGenerator<PutMessage> {
      yield* putMessages("counted", new Uint8Array(0), { bucket: BUCKET, condition: { ifMatch: "x" } });
      for (let frame = 0; frame < 2000; frame++) {
        sentBytes += 1_000_000;
        yield { payload: { case: "frame", value: new Uint8Array(1_000_000) } };
      }
    }
    expect(await codeOf(objects.putObject(counted()))).toBe("PRECONDITION_FAILED");
    expect(sentBytes).toBeLessThan(200_000_000);
  });
});

describe("WriteObject", () => {
  it("writes up to 16 MiB in one message", async () => {
    const data = randomBytes(16 * 1024 * 1024);
    const { outcome } = await objects.writeObject({ header: { bucket: BUCKET, key: "message" }, data });
    expect(outcome?.info?.sha256).toBe(sha256(data));
    const more = new Uint8Array(data.length + 1);
    expect(await codeOf(objects.writeObject({ header: { bucket: BUCKET, key: "message" }, data: more }))).toBe(
      "OBJECT_TOO_LARGE",
    );
    expect(await codeOf(objects.writeObject({ data }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(objects.writeObject({ header: { bucket: BUCKET, key: "message", sizeBytes: 5n }, data }))).toBe(
      "INVALID_ARGUMENT",
    );
  });
});

describe("GetObject", () => {
  const bytes = randomBytes(5_000_000);
  let etag = "";
  beforeAll(async () => {
    const attributes = { contentType: "text/x", metadata: { a: "1" } };
    const { outcome } = await objects.putObject(putMessages("read", bytes, { attributes }));
    etag = outcome?.info?.etag ?? "";
  });

  it("streams frames of 64 KiB, or as large as asked", async () => {
    const { frames, info } = await read({ bucket: BUCKET, key: "read" });
    expect(frames.every((frame) => frame.length <= 65_536)).toBe(true);
    expect(info).toMatchObject({
      key: "read",
      sizeBytes: 5_000_000n,
      attributes: { contentType: "text/x", metadata: { a: "1" } },
    });
    const large = await read({ bucket: BUCKET, key: "read", frameBytes: 1_048_576 });
    expect(Math.max(...large.frames.map((frame) => frame.length))).toBe(1_048_576);
    expect(large.bytes.equals(bytes)).toBe(true);
    expect(await codeOf(read({ bucket: BUCKET, key: "read", frameBytes: 1_048_577 }))).toBe("INVALID_ARGUMENT");
  });

  it("gives ranges from both ends, and OUT_OF_RANGE beyond", async () => {
    const range = async (offset: bigint, length?: bigint): Promise<Buffer> =>
      (await read({ bucket: BUCKET, key: "read", offset, ...(length === undefined ? {} : { length }) })).bytes;
    expect((await range(4_194_300n, 10n)).equals(bytes.subarray(4_194_300, 4_194_310))).toBe(true);
    expect((await range(-7n)).equals(bytes.subarray(-7))).toBe(true);
    expect((await range(4_999_999n, 99n)).equals(bytes.subarray(4_999_999))).toBe(true);
    expect(await codeOf(range(5_000_000n))).toBe("INVALID_RANGE");
    expect(await codeOf(range(2n ** 62n))).toBe("INVALID_ARGUMENT");
  });

  it("obeys conditions", async () => {
    const get = (condition: object): Promise<string> => codeOf(read({ bucket: BUCKET, key: "read", condition }));
    expect(await get({ ifMatch: etag })).toBe("none");
    expect(await get({ ifMatch: "x" })).toBe("PRECONDITION_FAILED");
    expect(await get({ ifNoneMatch: etag })).toBe("NOT_MODIFIED");
    expect(await codeOf(read({ bucket: BUCKET, key: "none" }))).toBe("OBJECT_NOT_FOUND");
    expect(await codeOf(read({ bucket: BUCKET, key: "read", objectVersion: "other" }))).toBe("OBJECT_NOT_FOUND");
  });

  it("stops when the client stops", async () => {
    for await (const { payload } of objects.getObject({ bucket: BUCKET, key: "read" }))
      if (payload.case === "frame") break;
    expect((await read({ bucket: BUCKET, key: "read" })).bytes.length).toBe(5_000_000);
  });
});

describe("deletes", () => {
  it("of many have an outcome each", async () => {
    for (const key of ["d1", "d2"])
      await objects.writeObject({ header: { bucket: BUCKET, key }, data: randomBytes(5) });
    const { outcomes } = await objects.deleteObjects({ bucket: BUCKET, keys: ["d1", "none", "d2", "k".repeat(1025)] });
    expect(outcomes.map(({ deleted }) => deleted)).toEqual([true, false, true, false]);
    expect(outcomes.map(({ error }) => error?.reason)).toEqual([
      undefined,
      undefined,
      undefined,
      ErrorReason.INVALID_ARGUMENT,
    ]);
    expect(await codeOf(objects.deleteObjects({ bucket: BUCKET, keys: [] }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(objects.deleteObjects({ bucket: BUCKET, keys: Array(1001).fill("k") }))).toBe(
      "INVALID_ARGUMENT",
    );
    expect(await codeOf(objects.deleteObjects({ bucket: "nowhere", keys: ["k"] }))).toBe("BUCKET_NOT_FOUND");
    expect(await codeOf(readonlyObjects.deleteObjects({ bucket: BUCKET, keys: ["k"] }))).toBe("PERMISSION_DENIED");
  });

  it("of many that are tried again under their operation id have their first outcomes, though the bucket is gone", async () => {
    const bucket = "emptied";
    await objects.createBucket({ bucket });
    const keys = Array.from({ length: 20 }, (_, index) => `d${index}`);
    for (const key of keys) await objects.writeObject({ header: { bucket, key }, data: randomBytes(5) });
    const options = { headers: { "idempotency-key": randomBytes(16).toString("hex") } };
    const first = await objects.deleteObjects({ bucket, keys }, options);
    await objects.deleteBucket({ bucket });
    expect((await objects.deleteObjects({ bucket, keys }, options)).outcomes).toEqual(first.outcomes);
    expect(await codeOf(objects.deleteObjects({ bucket, keys }))).toBe("BUCKET_NOT_FOUND");
    expect(await codeOf(objects.deleteObjects({ bucket: "B", keys: ["k"] }))).toBe("INVALID_BUCKET_NAME");
  });

  it("of one tell whether it was there, under a condition", async () => {
    await objects.writeObject({ header: { bucket: BUCKET, key: "one" }, data: randomBytes(5) });
    expect(await codeOf(objects.deleteObject({ bucket: BUCKET, key: "one", condition: { ifMatch: "x" } }))).toBe(
      "PRECONDITION_FAILED",
    );
    expect((await objects.deleteObject({ bucket: BUCKET, key: "one" })).deleted).toBe(true);
    expect((await objects.deleteObject({ bucket: BUCKET, key: "one" })).deleted).toBe(false);
  });
});

describe("multipart uploads", () => {
  it("are written in unary steps, listed and completed", async () => {
    const { upload } = await objects.createUpload({
      bucket: BUCKET,
      key: "multi",
      attributes: { contentType: "text/m" },
    });
    const uploadId = upload?.uploadId ?? "";
    expect((await objects.getUpload({ uploadId })).upload).toMatchObject({
      key: "multi",
      attributes: { contentType: "text/m" },
    });
    const parts = [randomBytes(6_000_000), randomBytes(100), new Uint8Array(0)];
    const completed: { partNumber: number; etag: string }[] = [];
    for (const [index, data] of parts.entries()) {
      const { part } = await objects.writePart({ uploadId, partNumber: index + 1, data, sha256: sha256(data) });
      completed.push({ partNumber: index + 1, etag: part?.etag ?? "" });
    }
    expect(
      await codeOf(objects.writePart({ uploadId, partNumber: 9, data: parts[0]!, sha256: sha256(parts[1]!) })),
    ).toBe("CHECKSUM_MISMATCH");
    const listed = await objects.listParts({ uploadId, limit: 2 });
    expect(listed).toMatchObject({
      parts: [{ partNumber: 1, sizeBytes: 6_000_000n }, { partNumber: 2 }],
      nextPartNumber: 2,
    });
    expect((await objects.listUploads({ bucket: BUCKET })).uploads.map((each) => each.uploadId)).toEqual([uploadId]);
    expect(await codeOf(objects.completeUpload({ uploadId, parts: [...completed].reverse() }))).toBe("INVALID_PART");
    const { info } = await objects.completeUpload({ uploadId, parts: completed });
    expect(info).toMatchObject({ sizeBytes: 6_000_100n, attributes: { contentType: "text/m" } });
    expect((await read({ bucket: BUCKET, key: "multi" })).bytes.equals(Buffer.concat(parts))).toBe(true);
    expect(await codeOf(objects.getUpload({ uploadId }))).toBe("UPLOAD_NOT_FOUND");
  });

  it("are forgotten when aborted", async () => {
    const { upload } = await objects.createUpload({ bucket: BUCKET, key: "multi" });
    const uploadId = upload?.uploadId ?? "";
    await objects.writePart({ uploadId, partNumber: 1, data: randomBytes(10) });
    await objects.abortUpload({ uploadId });
    expect(await codeOf(objects.writePart({ uploadId, partNumber: 1, data: randomBytes(10) }))).toBe(
      "UPLOAD_NOT_FOUND",
    );
  });
});

describe("the rest", () => {
  it("buckets, listing and copies", async () => {
    expect(await codeOf(objects.createBucket({ bucket: BUCKET }))).toBe("BUCKET_ALREADY_EXISTS");
    expect((await objects.headBucket({ bucket: BUCKET })).bucket?.bucket).toBe(BUCKET);
    expect(await codeOf(objects.headBucket({ bucket: "nowhere" }))).toBe("BUCKET_NOT_FOUND");
    await objects.createBucket({ bucket: "second" });
    expect((await objects.listBuckets({})).buckets.map(({ bucket }) => bucket)).toEqual([BUCKET, "second"]);
    await objects.writeObject({ header: { bucket: BUCKET, key: "source" }, data: randomBytes(50) });
    const copy = { sourceBucket: BUCKET, sourceKey: "source", bucket: "second", key: "copy" };
    expect((await objects.copyObject(copy)).info).toMatchObject({ bucket: "second", key: "copy", sizeBytes: 50n });
    expect(await codeOf(objects.copyObject({ ...copy, sourceIfMatch: "x" }))).toBe("PRECONDITION_FAILED");
    expect(await codeOf(objects.deleteBucket({ bucket: "second" }))).toBe("BUCKET_NOT_EMPTY");
    expect((await objects.listObjects({ bucket: "second" })).objects).toMatchObject([{ key: "copy" }]);
    await objects.deleteObject({ bucket: "second", key: "copy" });
    await objects.deleteBucket({ bucket: "second" });
  });

  it("tells the cluster and its limits", async () => {
    expect(await cluster.getCluster({})).toMatchObject({
      nodes: [],
      layouts: [],
      inlineMaxBytes: 32_768,
      chunkMaxBytes: 67_108_864n,
    });
  });
});
