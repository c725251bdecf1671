import { createReadStream, createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { byCount, createClient, fixed, KIB, MIB, type ObjectClient, type Seat } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { digestOf, sha256Hex, testBytes, testStream } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport } from "../support/transports.ts";

let folder: TempFolder;
let cluster: TestCluster;
beforeAll(async () => {
  folder = await createTempFolder();
  cluster = await startTestCluster({ nodeCount: 6, metadata: "sqlite" });
});
afterAll(async () => {
  await cluster.close();
  await folder[Symbol.asyncDispose]();
});

let buckets = 0;
const SEATS: ReadonlyArray<readonly [string, () => Seat]> = [
  ["embedded", () => embedded({ path: folder.at("store") })],
  ["gateway", () => gateway({ url: cluster.url, apiKey: cluster.apiKey })],
  ["direct", () => direct({ url: cluster.url, apiKey: cluster.apiKey })],
];

/** The work of an app that knows nothing of seats. */
describe.each(SEATS)("an app in the %s seat", { timeout: 60_000 }, (_, seat) => {
  let client: ObjectClient;
  let bucket: string;
  beforeAll(async () => {
    client = createClient(seat());
    bucket = `flow-${++buckets}`;
    await client.createBucket({ bucket });
  });
  afterAll(() => client.close());

  test("puts a file of the disk and gets it back into another", async () => {
    const [from, to] = [folder.at(`${bucket}.in`), folder.at(`${bucket}.out`)];
    await writeFile(from, testBytes(9 * MIB + 17));
    const put = await client.putObject({ bucket, key: "file", body: createReadStream(from) });
    const got = await client.getObject({ bucket, key: "file" });
    await pipeline(Readable.fromWeb(got.stream() as never), createWriteStream(to));
    expect(sha256Hex(await readFile(to))).toBe(put.sha256);
    expect(Buffer.compare(await readFile(from), await readFile(to))).toBe(0);
  });

  test("pipes one object into another without keeping it", async () => {
    await client.putObject({ bucket, key: "source", body: testStream(6 * MIB), chunker: fixed(256 * KIB) });
    const source = await client.getObject({ bucket, key: "source" });
    const copy = await client.putObject({ bucket, key: "target", body: source.stream(), chunker: fixed(512 * KIB) });
    expect(copy.sha256).toBe(source.sha256);
  });

  test("uploads in parts from two clients and completes from a third, which learns the parts from the store", async () => {
    const ref = { bucket, key: "parts" };
    const { uploadId } = await client.createUpload(ref);
    await using first = createClient(seat());
    await using second = createClient(seat());
    const part = (from: ObjectClient, partNumber: number): Promise<unknown> =>
      from.writePart({ uploadId, partNumber, body: testBytes(300 * KIB, partNumber) });
    await Promise.all([part(first, 1), part(second, 2), part(first, 3), part(second, 4)]);
    await using third = createClient(seat());
    const parts: { partNumber: number; etag: string }[] = [];
    for await (const { partNumber, etag } of third.listParts({ uploadId })) parts.push({ partNumber, etag });
    await third.completeUpload({ uploadId, parts });
    const expected = Buffer.concat([1, 2, 3, 4].map((seed) => testBytes(300 * KIB, seed)));
    expect(Buffer.compare(await (await client.getObject(ref)).bytes(), expected)).toBe(0);
  });

  test("downloads ranges at the same time and joins them", async () => {
    const bytes = testBytes(5 * MIB + 3, 8);
    await client.putObject({ bucket, key: "ranges", body: bytes });
    const size = MIB;
    const parts = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        client
          .bucket(bucket)
          .object("ranges")
          .slice(index * size, (index + 1) * size)
          .bytes(),
      ),
    );
    expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  });

  test("cuts a file in six, one chunk for each of six nodes", async () => {
    const bytes = testBytes(6 * MIB, 3);
    const put = await client.putObject({ bucket, key: "six", body: bytes, chunker: byCount(6) });
    expect(put.chunkCount).toBe(6);
    expect(sha256Hex(await client.bucket(bucket).object("six").bytes())).toBe(put.sha256);
  });

  test("caches by etag, and updates without losing another's change", async () => {
    const page = client.bucket(bucket).object("page");
    const first = await page.put("one");
    await expect(page.get({ ifNoneMatch: first.etag })).rejects.toMatchObject({ code: "NOT_MODIFIED" });
    await page.put("two", { ifMatch: first.etag });
    await expect(page.put("three", { ifMatch: first.etag })).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect(await (await page.get({ ifNoneMatch: first.etag })).text()).toBe("two");
  });

  test("walks a tree of objects, moves one, and cleans up", async () => {
    const keys = ["tree/a/1", "tree/a/2", "tree/b/1", "tree/top"];
    for (const key of keys) await client.putObject({ bucket, key, body: key });
    const top: string[] = [];
    for await (const entry of client.listObjects({ bucket, prefix: "tree/", delimiter: "/" })) {
      top.push(entry.type === "object" ? entry.key : entry.prefix);
    }
    expect(top).toEqual(["tree/a/", "tree/b/", "tree/top"]);
    await client.copyObject({
      bucket,
      key: "tree/moved",
      sourceBucket: bucket,
      sourceKey: "tree/a/1",
      ifNoneMatch: "*",
    });
    await client.deleteObject({ bucket, key: "tree/a/1" });
    expect(await client.bucket(bucket).object("tree/moved").text()).toBe("tree/a/1");
    const rest: string[] = [];
    for await (const entry of client.listObjects({ bucket, prefix: "tree/" }))
      if (entry.type === "object") rest.push(entry.key);
    const outcomes = await client.deleteObjects({ bucket, keys: rest });
    expect(outcomes.every((outcome) => outcome.deleted)).toBe(true);
  });

  test("writes a long stream in slices of 100 bytes to 1 MiB", async () => {
    const slices = async function* (): AsyncGenerator<Uint8Array> {
      yield* testStream(100 * 500, { seed: 6, sliceBytes: 100 });
      yield* testStream(8 * MIB, { seed: 7, sliceBytes: MIB });
      yield* testStream(4 * 1000, { seed: 8, sliceBytes: 4 });
    };
    const expected = await digestOf(slices());
    const put = await client.putObject({ bucket, key: "long", body: slices() });
    expect(put).toMatchObject(expected);
    expect(await digestOf(await client.getObject({ bucket, key: "long" }))).toEqual(expected);
  });
});

describe("what one seat and transport writes, another reads", { timeout: 60_000 }, () => {
  const TRANSPORTS = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js", "in-process"] as const;
  test("in every pair", async () => {
    const bucket = "mixed";
    const { url, apiKey } = cluster;
    const clients = TRANSPORTS.flatMap((name) =>
      [gateway, direct].map((seat) => createClient(seat({ url, apiKey, transport: openTransport(name, cluster) }))),
    );
    try {
      await clients[0]!.createBucket({ bucket });
      await Promise.all(
        clients.map((client, index) =>
          client.putObject({
            bucket,
            key: `${index}`,
            body: testBytes(300 * KIB, index + 1),
            chunker: fixed(128 * KIB),
          }),
        ),
      );
      for (const client of clients) {
        for (let index = 0; index < clients.length; index++) {
          const got = await client.getObject({ bucket, key: `${index}` });
          expect(Buffer.compare(await got.bytes(), testBytes(300 * KIB, index + 1))).toBe(0);
        }
      }
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  });

  test("also plain HTTP, as curl would send it", async () => {
    const headers = { authorization: `Bearer ${cluster.apiKey}` };
    const body = testBytes(2 * MIB, 21);
    await using client = createClient(direct({ url: cluster.url, apiKey: cluster.apiKey }));
    await client.createBucket({ bucket: "curl" });
    const put = await fetch(`${cluster.url}/objects/curl/a/b%20c.bin`, {
      method: "PUT",
      body: new Blob([body]),
      headers: { ...headers, "content-type": "text/x-wall", "ashlar-meta-stone": "gr%C3%BCn" },
    });
    expect(put.status).toBe(200);
    const got = await client.getObject({ bucket: "curl", key: "a/b c.bin" });
    expect(got).toMatchObject({ contentType: "text/x-wall", metadata: { stone: "grün" } });
    expect(sha256Hex(await got.bytes())).toBe(sha256Hex(body));
    await client.putObject({ bucket: "curl", key: "back", body });
    const range = await fetch(`${cluster.url}/objects/curl/back`, { headers: { ...headers, range: "bytes=10-19" } });
    expect(range.status).toBe(206);
    expect(new Uint8Array(await range.arrayBuffer())).toEqual(body.slice(10, 20));
  });
});
