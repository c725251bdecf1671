import { createHash, randomBytes } from "node:crypto";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import type { MetadataStore, ObjectInfo } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rangeApplies, writeCondition } from "../../http/conditions.ts";
import { startTestGateway, type TestGateway } from "../testing/start-test-gateway.ts";

let test: TestGateway;
let metadata: MetadataStore;

beforeAll(async () => {
  metadata = createMemoryMetadataStore();
  const topology = singleStoreTopology(createMemoryChunkStore());
  test = await startTestGateway({ metadata, topology, hasher: nodeCryptoHasher });
  await call("PUT", "/objects/photos");
});

afterAll(async () => {
  await test.close();
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: Record<string, unknown>;
}

/** Raw HTTP/1.1, so that paths go out as they are written. */
function call(
  method: string,
  path: string,
  options: {
    headers?: Record<string, string>;
    body?: Uint8Array | AsyncIterable<Uint8Array>;
    key?: string | null;
  } = {},
): Promise<Answer> {
  const key = options.key === undefined ? test.keys.readwrite : options.key;
  const headers = { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...options.headers };
  return new Promise((resolve, reject) => {
    const url = new URL(test.url);
    const request = httpRequest({ host: url.hostname, port: url.port, method, path, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(pieces);
        const isJson = /json/.test(response.headers["content-type"] ?? "");
        const json = isJson && body.length > 0 ? JSON.parse(body.toString()) : {};
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, json });
      });
    });
    request.on("error", reject);
    const { body } = options;
    if (body === undefined || body instanceof Uint8Array) {
      if (body !== undefined) request.setHeader("content-length", body.byteLength);
      request.end(body);
      return;
    }
    void (async () => {
      for await (const piece of body)
        if (!request.write(piece)) await new Promise((done) => request.once("drain", done));
      request.end();
    })().catch(reject);
  });
}

const put = (key: string, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<Answer> =>
  call("PUT", `/objects/photos/${key}`, { body: Buffer.from(body), headers });

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("buckets over plain HTTP", () => {
  it("are created, listed, asked for and deleted", async () => {
    const created = await call("PUT", "/objects/temporary");
    expect(created.status).toBe(201);
    expect(created.json).toMatchObject({ bucket: { bucket: "temporary" } });
    expect((await call("HEAD", "/objects/temporary")).status).toBe(200);
    const listed = await call("GET", "/objects");
    expect(listed.json.buckets).toEqual(expect.arrayContaining([expect.objectContaining({ bucket: "temporary" })]));
    const again = await call("PUT", "/objects/temporary");
    expect([again.status, again.headers["ashlar-error-code"]]).toEqual([409, "BUCKET_ALREADY_EXISTS"]);
    expect((await call("DELETE", "/objects/temporary")).status).toBe(204);
    expect((await call("HEAD", "/objects/temporary")).status).toBe(404);
  });

  it("with objects are kept, and bad names refused", async () => {
    await put("keep", "x");
    expect((await call("DELETE", "/objects/photos")).headers["ashlar-error-code"]).toBe("BUCKET_NOT_EMPTY");
    expect((await call("PUT", "/objects/No_Good")).headers["ashlar-error-code"]).toBe("INVALID_BUCKET_NAME");
    expect((await call("PUT", "/objects/photos/")).headers["ashlar-error-code"]).toBe("INVALID_ARGUMENT");
  });
});

describe("an object over plain HTTP", () => {
  it("is given back with everything that came with it", async () => {
    const bytes = randomBytes(100_000);
    const headers = {
      "content-type": "image/jpeg",
      "cache-control": "max-age=60",
      "content-disposition": Buffer.from('attachment; filename="Кот.jpg"').toString("latin1"),
      "content-language": "ru",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      "ashlar-meta-taken-by": encodeURIComponent("Олег Å"),
      "ashlar-durability": "os",
    };
    // Chunked, because Node's client garbles a content-disposition beyond ASCII if the length is known.
    async function* body(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    const written = await call("PUT", "/objects/photos/2026/cat.jpg", { headers, body: body() });
    expect(written.status).toBe(200);
    expect(written.json).toMatchObject({ info: { sizeBytes: "100000", sha256: sha256(bytes) }, chunkCount: "1" });
    const read = await call("GET", "/objects/photos/2026/cat.jpg");
    expect(read.status).toBe(200);
    expect(read.body.equals(bytes)).toBe(true);
    expect(read.headers).toMatchObject({
      "content-length": "100000",
      "content-type": "image/jpeg",
      "cache-control": "max-age=60",
      "content-language": "ru",
      expires: "Wed, 21 Oct 2026 07:28:00 GMT",
      "ashlar-meta-taken-by": encodeURIComponent("Олег Å"),
      "ashlar-durability": "os",
      "ashlar-sha256": sha256(bytes),
      "accept-ranges": "bytes",
      etag: written.headers.etag,
    });
    expect(Buffer.from(String(read.headers["content-disposition"]), "latin1").toString()).toContain("Кот.jpg");
    expect(Date.parse(String(read.headers["last-modified"]))).toBeLessThanOrEqual(
      Number(read.headers["ashlar-created-at-ms"]),
    );
    expect(String(read.headers["ashlar-object-version"])).not.toBe("");
    const head = await call("HEAD", "/objects/photos/2026/cat.jpg");
    expect([head.status, head.body.length, head.headers["content-length"]]).toEqual([200, 0, "100000"]);
    expect(head.headers.etag).toBe(read.headers.etag);
    expect((await call("DELETE", "/objects/photos/2026/cat.jpg")).status).toBe(204);
    expect((await call("DELETE", "/objects/photos/2026/cat.jpg")).status).toBe(204);
    const gone = await call("GET", "/objects/photos/2026/cat.jpg");
    expect(gone.headers["content-type"]).toBe("application/problem+json");
    expect(gone.json).toMatchObject({ status: 404, code: "OBJECT_NOT_FOUND", title: "OBJECT_NOT_FOUND" });
    expect(gone.json.requestId).toBe(gone.headers["ashlar-request-id"]);
  });

  it("may have any key, dots, slashes and NUL included, each its own object", async () => {
    const keys = [
      "..",
      ".",
      "a",
      "a/",
      "a//",
      "/a",
      "a/../b",
      "b",
      "%2e%2e",
      "a%2Fb",
      "a b",
      "a+b",
      "ü",
      "\0",
      "//",
      "a/b/c?d#e",
    ];
    for (const key of keys)
      await call("PUT", `/objects/photos/odd/${encodeURIComponent(key)}`, { body: Buffer.from(key) });
    for (const key of keys) {
      const read = await call("GET", `/objects/photos/odd/${encodeURIComponent(key)}`);
      expect([key, read.status, read.body.toString()]).toEqual([key, 200, key]);
    }
    const raw = await call("GET", "/objects/photos/odd/a/../b");
    expect(raw.body.toString()).toBe("a/../b");
    const listed = await call("GET", "/objects/photos?prefix=odd/");
    expect((listed.json.objects as unknown[]).length).toBe(keys.length);
  });

  it("may be empty, and may come without a length", async () => {
    expect((await put("empty", "")).json).toMatchObject({ info: { etag: expect.any(String) } });
    const empty = await call("GET", "/objects/photos/empty");
    expect([empty.status, empty.body.length, empty.headers["content-length"]]).toEqual([200, 0, "0"]);
    const bytes = randomBytes(9_000_001);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let start = 0; start < bytes.length; start += 77_777) yield bytes.subarray(start, start + 77_777);
    }
    const written = await call("PUT", "/objects/photos/chunked", { body: pieces() });
    expect(written.json).toMatchObject({ info: { sizeBytes: "9000001", sha256: sha256(bytes) }, chunkCount: "3" });
    expect((await call("GET", "/objects/photos/chunked")).body.equals(bytes)).toBe(true);
  });

  it("is not written if its digest is another", async () => {
    const bytes = Buffer.from("bytes");
    const wrong = await put("checked", bytes, { "ashlar-sha256": sha256(Buffer.from("other")) });
    expect([wrong.status, wrong.json.code]).toEqual([400, "CHECKSUM_MISMATCH"]);
    expect((await call("HEAD", "/objects/photos/checked")).status).toBe(404);
    expect((await put("checked", bytes, { "ashlar-sha256": sha256(bytes) })).status).toBe(200);
    expect((await put("checked", bytes, { "ashlar-sha256": sha256(bytes).toUpperCase() })).status).toBe(200);
    expect((await put("checked", bytes, { "ashlar-sha256": "abc" })).json.code).toBe("INVALID_ARGUMENT");
    expect((await put("checked", bytes, { "ashlar-durability": "maybe" })).json.code).toBe("INVALID_ARGUMENT");
  });

  it("is not copied where bytes come along, which would be lost", async () => {
    await put("original", "original");
    const copy = { "ashlar-copy-source": "photos/original" };
    const refused = await put("never", "bytes", copy);
    expect([refused.status, refused.json.code]).toEqual([400, "INVALID_ARGUMENT"]);
    async function* unmeasured(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("bytes");
    }
    const chunked = await call("PUT", "/objects/photos/never", { headers: copy, body: unmeasured() });
    expect([chunked.status, chunked.json.code]).toEqual([400, "INVALID_ARGUMENT"]);
    expect((await call("HEAD", "/objects/photos/never")).status).toBe(404);
    expect((await put("never", "", copy)).status).toBe(200);
  });

  it("is copied within the store, with its attributes or new ones", async () => {
    await put(encodeURIComponent("source é"), "copy me", { "content-type": "text/x-a", "ashlar-meta-a": "1" });
    const source = `photos/${encodeURIComponent("source é")}`;
    const copied = await call("PUT", "/objects/photos/copy", { headers: { "ashlar-copy-source": source } });
    expect(copied.status).toBe(200);
    expect(copied.json).toMatchObject({ info: { key: "copy", attributes: { contentType: "text/x-a" } } });
    const replaced = { "ashlar-copy-source": `/${source}`, "content-type": "text/x-b" };
    await call("PUT", "/objects/photos/copy", { headers: replaced });
    const read = await call("GET", "/objects/photos/copy");
    expect([read.body.toString(), read.headers["content-type"], read.headers["ashlar-meta-a"]]).toEqual([
      "copy me",
      "text/x-b",
      undefined,
    ]);
    const missing = await call("PUT", "/objects/photos/copy", { headers: { "ashlar-copy-source": "photos/none" } });
    expect(missing.json.code).toBe("OBJECT_NOT_FOUND");
    const bad = await call("PUT", "/objects/photos/copy", { headers: { "ashlar-copy-source": "photos" } });
    expect(bad.json.code).toBe("INVALID_ARGUMENT");
  });
});

describe("ranges over plain HTTP", () => {
  const bytes = randomBytes(5_000_000);
  beforeAll(async () => {
    await put("ranged", bytes);
    await put("ranged-empty", "");
  });
  const range = (value: string, more: Record<string, string> = {}): Promise<Answer> =>
    call("GET", "/objects/photos/ranged", { headers: { range: value, ...more } });

  it.each([
    ["bytes=0-0", 0, 0],
    ["bytes=0-99", 0, 99],
    ["bytes=4194300-4194310", 4_194_300, 4_194_310],
    ["bytes=4999999-", 4_999_999, 4_999_999],
    ["bytes=4999990-99999999999", 4_999_990, 4_999_999],
    ["bytes=-10", 4_999_990, 4_999_999],
    ["bytes=-9999999999", 0, 4_999_999],
    ["bytes=0-99999999999999999999", 0, 4_999_999],
    [`bytes=-${"9".repeat(400)}`, 0, 4_999_999],
  ])("%s gives bytes %i to %i", async (value, first, last) => {
    const read = await range(value);
    expect(read.status).toBe(206);
    expect(read.headers["content-range"]).toBe(`bytes ${first}-${last}/5000000`);
    expect(read.headers["content-length"]).toBe(String(last - first + 1));
    expect(read.body.equals(bytes.subarray(first, last + 1))).toBe(true);
  });

  it.each(["bytes=5000000-", "bytes=9999999999999-", "bytes=99999999999999999999-", "bytes=-0"])(
    "%s is not satisfiable",
    async (value) => {
      const read = await range(value);
      expect([read.status, read.headers["content-range"], read.json.code]).toEqual([
        416,
        "bytes */5000000",
        "INVALID_RANGE",
      ]);
    },
  );

  it.each(["bytes=0-1,3-4", "bytes=9-1", "bytes=", "bytes=-", "lines=1-2", "bytes=a-b"])(
    "%s is ignored",
    async (value) => {
      const read = await range(value);
      expect([read.status, read.body.length]).toEqual([200, 5_000_000]);
    },
  );

  it("of an empty object are not satisfiable", async () => {
    const read = await call("GET", "/objects/photos/ranged-empty", { headers: { range: "bytes=0-" } });
    expect([read.status, read.headers["content-range"]]).toEqual([416, "bytes */0"]);
  });

  it("apply only to the state that if-range names exactly, by a strong validator", async () => {
    const { etag } = (await call("HEAD", "/objects/photos/ranged")).headers;
    const statusOf = async (ifRange: string, value = "bytes=0-9"): Promise<number> =>
      (await range(value, { "if-range": ifRange })).status;
    expect(await statusOf(String(etag))).toBe(206);
    const others = ['"other"', `W/${etag}`, `"other", ${etag}`, `${etag}, ${etag}`, "*", "nonsense", "1"];
    for (const other of others) expect([other, await statusOf(other)]).toEqual([other, 200]);
    for (const date of [new Date(Date.now() + 9000), new Date(0)]) expect(await statusOf(date.toUTCString())).toBe(200);
    // Another state: the whole, also where the range lies outside.
    expect(await statusOf('"other"', "bytes=9999999-")).toBe(200);
    expect(await statusOf(String(etag), "bytes=9999999-")).toBe(416);
  });

  it("apply to the date of last-modified once its second is over", () => {
    const info = { etag: "x", createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 600) } as ObjectInfo;
    const header = (date: string): Headers => new Headers({ "if-range": date });
    const second = Date.UTC(2026, 0, 2, 3, 4, 5);
    expect(rangeApplies(header("Fri, 02 Jan 2026 03:04:05 GMT"), info, second + 1000)).toBe(true);
    expect(rangeApplies(header("Friday, 02-Jan-26 03:04:05 GMT"), info, second + 1000)).toBe(true);
    expect(rangeApplies(header("Fri, 02 Jan 2026 03:04:05 GMT"), info, second + 999)).toBe(false);
    expect(rangeApplies(header("Fri, 02 Jan 2026 03:04:06 GMT"), info, second + 9000)).toBe(false);
    expect(rangeApplies(header("2026-01-02T03:04:05Z"), info, second + 9000)).toBe(false);
  });
});

describe("conditions over plain HTTP", () => {
  const get = (headers: Record<string, string>): Promise<Answer> =>
    call("GET", "/objects/photos/conditional", { headers });
  let etag = "";
  beforeAll(async () => {
    etag = String((await put("conditional", "first")).headers.etag);
  });

  it("decide reads", async () => {
    const same = await get({ "if-none-match": `"x", W/${etag}` });
    expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, etag]);
    expect((await get({ "if-none-match": "*" })).status).toBe(304);
    expect((await get({ "if-none-match": '"other"' })).status).toBe(200);
    expect((await get({ "if-match": `"x", ${etag}` })).status).toBe(200);
    const failed = await get({ "if-match": '"other"' });
    expect([failed.status, failed.json.code]).toEqual([412, "PRECONDITION_FAILED"]);
    const { headers } = await get({});
    expect((await get({ "if-modified-since": String(headers["last-modified"]) })).status).toBe(304);
    expect((await get({ "if-modified-since": new Date(0).toUTCString() })).status).toBe(200);
    expect((await get({ "if-modified-since": "nonsense" })).status).toBe(200);
    expect((await get({ "if-unmodified-since": new Date(0).toUTCString() })).status).toBe(412);
    const head = await call("HEAD", "/objects/photos/conditional", { headers: { "if-none-match": etag } });
    expect(head.status).toBe(304);
    const ranged = await get({ "if-none-match": etag, range: "bytes=99-" });
    expect(ranged.status).toBe(304);
  });

  it("with invalid dates are ignored, also those that JavaScript would accept", async () => {
    for (const junk of [
      "1",
      "2001",
      "Thu, 30 Feb 2023 00:00:00 GMT",
      "1970-01-01",
      "Thu, 01 Jan 1970 00:00:00 +0100",
    ]) {
      expect([junk, (await get({ "if-unmodified-since": junk })).status]).toEqual([junk, 200]);
      expect([junk, (await put("dated", "x", { "if-unmodified-since": junk })).status]).toEqual([junk, 200]);
    }
    expect((await get({ "if-modified-since": "2999-01-01" })).status).toBe(200);
  });

  it("in the order of RFC 9110: etags before dates", async () => {
    const old = new Date(0).toUTCString();
    const late = new Date(Date.now() + 99_000).toUTCString();
    expect((await get({ "if-match": etag, "if-unmodified-since": old })).status).toBe(200);
    expect((await get({ "if-match": '"other"', "if-unmodified-since": late })).status).toBe(412);
    expect((await get({ "if-none-match": '"other"', "if-modified-since": late })).status).toBe(200);
    expect((await get({ "if-match": '"other"', "if-none-match": etag })).status).toBe(412);
    expect((await get({ "if-match": etag, "if-none-match": etag })).status).toBe(304);
  });

  it("by date decide writes and deletes", async () => {
    const old = new Date(0).toUTCString();
    const late = new Date(Date.now() + 99_000).toUTCString();
    await put("by-date", "first");
    expect((await put("by-date", "second", { "if-unmodified-since": old })).status).toBe(412);
    const headers = { "if-unmodified-since": old };
    expect((await call("DELETE", "/objects/photos/by-date", { headers })).status).toBe(412);
    expect((await call("GET", "/objects/photos/by-date")).body.toString()).toBe("first");
    expect((await put("by-date", "second", { "if-unmodified-since": late })).status).toBe(200);
    // A copy is a write, too.
    const copy = { "ashlar-copy-source": "photos/by-date", "if-unmodified-since": old };
    await put("by-date-2", "kept");
    expect((await put("by-date-2", "", copy)).status).toBe(412);
    // What is not there has no date.
    expect((await put("by-date-new", "x", { "if-unmodified-since": old })).status).toBe(200);
    expect((await put("by-date", "third", { "if-modified-since": late })).status).toBe(200);
  });

  it("with lists of etags decide writes and deletes", async () => {
    const tag = String((await put("listed-tags", "first")).headers.etag);
    const path = "/objects/photos/listed-tags";
    const refused: Record<string, string>[] = [
      { "if-match": '"a", "b"' },
      { "if-match": `"a", W/${tag}` },
      { "if-match": '"*"' },
      { "if-match": '""' },
      { "if-none-match": `"a", ${tag}` },
      { "if-none-match": `"a", W/${tag}` },
      { "if-none-match": `W/${tag}` },
    ];
    for (const headers of refused) {
      expect([headers, (await put("listed-tags", "lost", headers)).status]).toEqual([headers, 412]);
      expect([headers, (await call("DELETE", path, { headers })).status]).toEqual([headers, 412]);
    }
    for (const headers of [{ "if-match": "" }, { "if-match": `${tag}, *` }, { "if-none-match": "a" }] as Record<
      string,
      string
    >[])
      expect([headers, (await put("listed-tags", "lost", headers)).status]).toEqual([headers, 400]);
    expect((await call("GET", path)).body.toString()).toBe("first");
    expect((await put("listed-tags", "second", { "if-match": `"a", ${tag}` })).status).toBe(200);
    expect((await put("listed-tags", "third", { "if-none-match": '"a", "b"' })).status).toBe(200);
    expect((await put("listed-tags-new", "x", { "if-none-match": '"a", "b"' })).status).toBe(200);
  });

  describe.each<[string, (etag: string) => Record<string, string>]>([
    ["one etag", (etag) => ({ "if-match": etag })],
    ["a list of etags", (etag) => ({ "if-match": `${etag}, "other"` })],
    ["a date", () => ({ "if-unmodified-since": new Date(Date.now() + 99_000).toUTCString() })],
    ["one etag that is not there", () => ({ "if-none-match": '"x"' })],
    ["a list of etags that are not there", () => ({ "if-none-match": '"x", W/"y"' })],
    ["all of these", (etag) => ({ "if-match": `"other", ${etag}`, "if-none-match": '"x", "y"' })],
  ])("with %s: a write tried again under its operation id gets the first one's answer", (name, conditionFor) => {
    const key = `again-${name.replaceAll(" ", "-")}`;
    const path = `/objects/photos/${key}`;

    /** The same request three times; before the third one another caller writes. */
    async function twice(headers: Record<string, string>, method: string, body?: string): Promise<Answer[]> {
      const again = { ...headers, "idempotency-key": randomBytes(16).toString("hex") };
      const send = (): Promise<Answer> =>
        call(method, path, { headers: again, ...(body === undefined ? {} : { body: Buffer.from(body) }) });
      const first = await send();
      const second = await send();
      await put(key, "of another");
      return [first, second, await send()];
    }

    async function expectOneAnswer(answers: readonly Answer[], status: number): Promise<void> {
      // Tries differ in what they found in the stores already.
      const of = ({ json: { deduplicatedBytes: _differs, ...json } }: Answer): unknown => json;
      for (const answer of answers) expect([answer.status, of(answer)]).toEqual([status, of(answers[0] as Answer)]);
      expect((await call("GET", path)).body.toString()).toBe("of another");
    }

    it("put", async () => {
      const etag = String((await put(key, "before")).headers.etag);
      await expectOneAnswer(await twice(conditionFor(etag), "PUT", "mine"), 200);
    });

    it("put in chunks", async () => {
      const etag = String((await put(key, "before")).headers.etag);
      await expectOneAnswer(await twice(conditionFor(etag), "PUT", "mine".repeat(50_000)), 200);
    });

    it("copy", async () => {
      await put("again-source", "source");
      const etag = String((await put(key, "before")).headers.etag);
      const headers = { ...conditionFor(etag), "ashlar-copy-source": "photos/again-source" };
      await expectOneAnswer(await twice(headers, "PUT"), 200);
    });

    it("delete", async () => {
      const etag = String((await put(key, "before")).headers.etag);
      await expectOneAnswer(await twice(conditionFor(etag), "DELETE"), 204);
    });
  });

  it("travel to the commit as the caller sent them", () => {
    const of = (headers: Record<string, string>): unknown => writeCondition(new Headers(headers));
    const date = new Date(9000).toUTCString();
    expect(of({})).toBeUndefined();
    // Conditions with one tag have the form of earlier releases, because results are kept under it.
    expect(of({ "if-match": '"a"' })).toEqual({ ifMatch: "a" });
    expect(of({ "if-match": '"a", W/"b"', "if-none-match": "*" })).toEqual({ ifMatch: "a", ifNoneMatch: "*" });
    expect(of({ "if-match": "*", "if-none-match": 'W/"a"' })).toEqual({ ifMatch: "*", ifNoneMatch: "a" });
    expect(of({ "if-match": '"a"', "if-unmodified-since": date })).toEqual({ ifMatch: "a" });
    expect(of({ "if-unmodified-since": date })).toEqual({ ifUnmodifiedSinceMs: 9000 });
    expect(of({ "if-match": '"a", "b", "a"' })).toEqual({ ifMatchAny: ["a", "b"] });
    expect(of({ "if-match": "*", "if-none-match": '"a", W/"b", "no tag"' })).toEqual({
      ifMatchAny: ["*"],
      ifNoneMatchAny: ["a", "b", "no tag"],
    });
    expect(of({ "if-none-match": '"a"', "if-unmodified-since": date })).toEqual({
      ifNoneMatchAny: ["a"],
      ifUnmodifiedSinceMs: 9000,
    });
  });

  it("with too many etags are refused", async () => {
    const tags = Array.from({ length: 1025 }, (_, index) => `"${index}"`);
    for (const name of ["if-match", "if-none-match"]) {
      expect((await put("many-tags", "x", { [name]: tags.join() })).json.code).toBe("INVALID_ARGUMENT");
      const fewer = await put("many-tags", "x", { [name]: tags.slice(1).join() });
      expect(fewer.status).toBe(name === "if-match" ? 412 : 200);
    }
  });

  it("decide writes and deletes", async () => {
    expect((await put("conditional", "2", { "if-none-match": "*" })).status).toBe(412);
    expect((await put("conditional", "2", { "if-match": '"other"' })).status).toBe(412);
    expect((await put("conditional", "2", { "if-match": `W/${etag}` })).status).toBe(412);
    expect((await put("conditional", "2", { "if-match": "unquoted" })).json.code).toBe("INVALID_ARGUMENT");
    expect((await call("GET", "/objects/photos/conditional")).body.toString()).toBe("first");
    const second = await put("conditional", "second", { "if-match": etag });
    expect(second.status).toBe(200);
    const kept = await call("DELETE", "/objects/photos/conditional", { headers: { "if-match": etag } });
    expect(kept.status).toBe(412);
    const deleted = await call("DELETE", "/objects/photos/conditional", {
      headers: { "if-match": String(second.headers.etag) },
    });
    expect(deleted.status).toBe(204);
    expect((await put("conditional", "third", { "if-none-match": "*" })).status).toBe(200);
  });
});

describe("a part of a body", () => {
  it("is refused: it would replace the whole", async () => {
    await put("resumed", "0123456789");
    for (const part of ["bytes 4-9/10", "bytes */10", "nonsense"]) {
      const answer = await put("resumed", "456789", { "content-range": part });
      expect([part, answer.status, answer.json.code]).toEqual([part, 400, "INVALID_ARGUMENT"]);
    }
    expect((await call("GET", "/objects/photos/resumed")).body.toString()).toBe("0123456789");
  });

  it("and any body of a bucket, which would be lost", async () => {
    const answer = await call("PUT", "/objects/uploaded-to", { body: Buffer.from("bytes") });
    expect([answer.status, (await call("HEAD", "/objects/uploaded-to")).status]).toEqual([400, 404]);
  });
});

describe("an answer with an object", () => {
  it("is sandboxed where a browser opens it as a page", async () => {
    await put("page.html", "<script>alert(1)</script>", { "content-type": "text/html" });
    const { headers } = await call("GET", "/objects/photos/page.html");
    expect(headers["content-security-policy"]).toContain("sandbox");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  it("has the same headers for HEAD", async () => {
    await put("alike", "bytes", { "ashlar-meta-a": "1", "cache-control": "max-age=1", expires: "0" });
    const same = ({ headers: { date: _date, "ashlar-request-id": _id, ...rest } }: Answer): unknown => rest;
    const [get, head] = [await call("GET", "/objects/photos/alike"), await call("HEAD", "/objects/photos/alike")];
    expect(same(head)).toEqual(same(get));
  });
});

describe("listing over plain HTTP", () => {
  it.each(["prefix=%ff", "prefix=%zz", "limit=1&limit=2", "prefix=a&prefix=b", "delimiter=%"])(
    "refuses %s",
    async (query) => {
      const answer = await call("GET", `/objects/photos?${query}`);
      expect([answer.status, answer.json.code]).toEqual([400, "INVALID_ARGUMENT"]);
    },
  );

  it("pages, rolls up and starts where asked", async () => {
    await call("PUT", "/objects/listing");
    for (const key of ["a/1", "a/2", "b", "c/1"])
      await call("PUT", `/objects/listing/${key}`, { body: Buffer.from(key) });
    const rolled = await call("GET", "/objects/listing?delimiter=%2F");
    expect(rolled.json).toMatchObject({ objects: [{ key: "b" }], prefixes: ["a/", "c/"] });
    const first = await call("GET", "/objects/listing?limit=2");
    expect(first.json).toMatchObject({ objects: [{ key: "a/1", sizeBytes: "3" }, { key: "a/2" }] });
    const cursor = encodeURIComponent(String(first.json.nextCursor));
    expect((await call("GET", `/objects/listing?cursor=${cursor}`)).json).toMatchObject({
      objects: [{ key: "b" }, { key: "c/1" }],
    });
    expect((await call("GET", "/objects/listing?startAfter=b")).json).toEqual({
      objects: [expect.objectContaining({ key: "c/1" })],
    });
    for (const limit of ["0", "1001", "x", "-1"]) {
      expect((await call("GET", `/objects/listing?limit=${limit}`)).json.code).toBe("INVALID_ARGUMENT");
    }
    expect((await call("GET", "/objects/nowhere")).json.code).toBe("BUCKET_NOT_FOUND");
  });
});

describe("who may do what over plain HTTP", () => {
  it("is told before the body is sent", async () => {
    for (const [key, status] of [
      [null, 401],
      ["ashlar_0000000000000000_x", 401],
      [test.keys.readonly, 403],
    ] as const) {
      const refused = await call("PUT", "/objects/photos/secret", { key, body: Buffer.from("x") });
      expect(refused.status).toBe(status);
    }
    expect((await call("GET", "/objects/photos/none", { key: test.keys.readonly })).status).toBe(404);
    expect((await call("GET", "/objects", { key: null })).headers["www-authenticate"]).toBe("Bearer");
    expect((await call("DELETE", "/objects/photos/none", { key: test.keys.readonly })).status).toBe(403);
  });

  it("allows no other method", async () => {
    for (const [method, path] of [
      ["POST", "/objects"],
      ["POST", "/objects/photos"],
      ["COPY", "/objects/photos/x"],
      ["PATCH", "/objects/photos/x"],
    ] as const) {
      const refused = await call(method, path);
      expect([method, refused.status, refused.json.code]).toEqual([method, 405, "UNSUPPORTED"]);
      expect(refused.headers.allow).toContain("GET");
    }
  });
});

describe("a body that is not worth sending", () => {
  /** Sends headers that announce a body and wait for 100-continue; gives the first line of the answer. */
  function expectContinue(path: string, headers: readonly string[]): Promise<string> {
    const url = new URL(test.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => {
        const authorization = `authorization: Bearer ${test.keys.readwrite}`;
        const lines = [
          `PUT ${path} HTTP/1.1`,
          "host: x",
          authorization,
          "expect: 100-continue",
          "content-length: 5000000",
          ...headers,
        ];
        socket.write(`${lines.join("\r\n")}\r\n\r\n`);
      });
      socket.once("data", (data: Buffer) => {
        resolve(data.toString().split("\r\n")[0] ?? "");
        socket.destroy();
      });
      socket.once("error", reject);
    });
  }

  it("is refused instead of asked for", async () => {
    expect(await expectContinue("/objects/nowhere/key", [])).toContain(" 404 ");
    expect(await expectContinue("/objects/photos/", [])).toContain(" 400 ");
    expect(await expectContinue("/objects/photos/key", ['if-match: "x"'])).toContain(" 412 ");
    expect(await expectContinue("/objects/photos/key", ["ashlar-sha256: zz"])).toContain(" 400 ");
    await put("exists", "x");
    expect(await expectContinue("/objects/photos/exists", ["if-none-match: *"])).toContain(" 412 ");
  });

  it("is asked for otherwise", async () => {
    expect(await expectContinue("/objects/photos/key", [])).toContain(" 100 ");
  });

  it("that breaks off leaves nothing", async () => {
    const url = new URL(test.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(url.port), url.hostname, () => {
        socket.write(
          `PUT /objects/photos/broken HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${test.keys.readwrite}\r\ncontent-length: 5000000\r\n\r\n`,
        );
        socket.write(randomBytes(1_000_000), () => socket.destroy());
      });
      socket.once("close", () => resolve());
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await call("HEAD", "/objects/photos/broken")).status).toBe(404);
  });
});
