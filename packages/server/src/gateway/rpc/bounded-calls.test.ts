/** What a caller can make a server do by one message, with a key and without, on each protocol. */
import { createHash } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { KIB, LIMITS, MIB } from "@ashlar/sdk/limits";
import { CommitWriteRequestSchema, HasChunksRequestSchema, ObjectService } from "@ashlar/sdk/rpc";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../../http/bounds/http-limits.ts";
import { codeOf } from "../testing/direct-client.ts";
import { startTestGateway, type TestGateway } from "../testing/start-test-gateway.ts";

const BUCKET = "bounded";
const KEY_ID = createHash("sha256").update("a chunk").digest();
let test: TestGateway;

beforeAll(async () => {
  test = await startTestGateway({
    metadata: createMemoryMetadataStore(),
    topology: singleStoreTopology(createMemoryChunkStore()),
    hasher: nodeCryptoHasher,
  });
  await fetch(`${test.url}/objects/${BUCKET}`, { method: "PUT", headers: authorization() });
});

afterAll(async () => {
  await test.close();
});

const authorization = (): Record<string, string> => ({ authorization: `Bearer ${test.keys.readwrite}` });

interface Answer {
  readonly code: string;
  readonly text: string;
}

/** A unary call over Connect or gRPC-Web, whose bytes are given. */
async function call(
  method: string,
  body: Uint8Array | string,
  type = "application/proto",
  key = true,
): Promise<Answer> {
  const enveloped = type.startsWith("application/grpc-web");
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  const response = await fetch(`${test.url}/${method}`, {
    method: "POST",
    headers: { "content-type": type, ...(key ? authorization() : {}) },
    body: enveloped ? Buffer.concat([head, bytes]) : Buffer.from(bytes),
  });
  const text = await response.text();
  const code = enveloped
    ? (response.headers.get("grpc-status") ?? /grpc-status: (\d+)/.exec(text)?.[1] ?? "")
    : response.ok
      ? "ok"
      : (JSON.parse(text) as { readonly code: string }).code;
  return { code, text };
}

const encode = <Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): Uint8Array =>
  toBinary(schema, create(schema, message));

describe("a message without a key", () => {
  const OPEN = ["grpc.health.v1.Health/Check", "ashlar.v1.ChunkService/HealthCheck"];

  it("is a few KiB, on every protocol", async () => {
    const filler = new Uint8Array(8 * KIB).fill(0x78);
    for (const method of OPEN) {
      const binary = await call(method, filler, "application/proto", false);
      expect([binary.code, binary.text]).toEqual(["invalid_argument", expect.stringContaining("4096")]);
      expect((await call(method, filler, "application/grpc-web+proto", false)).code).toBe("3");
      const json = `{"service":"${"a".repeat(8 * KIB)}"}`;
      expect((await call(method, json, "application/json", false)).code).toBe("invalid_argument");
    }
  });

  it("is not read where a key is needed", async () => {
    // More than any message may have: had it been read, the answer would be another.
    const filler = new Uint8Array(40 * MIB);
    for (const type of ["application/proto", "application/json"]) {
      expect((await call("ashlar.v1.ObjectService/CommitWrite", filler, type, false)).code).toBe("unauthenticated");
    }
    const grpcWeb = await call("ashlar.v1.ObjectService/CommitWrite", filler, "application/grpc-web+proto", false);
    expect(grpcWeb.code).toBe("16");
  });
});

describe("a message with a key", () => {
  const chunks = (ticket: string, count: number, sizeBytes: number): Uint8Array => {
    const chunk = { chunkId: KEY_ID, sizeBytes: BigInt(sizeBytes), receipts: [] };
    return encode(CommitWriteRequestSchema, {
      bucket: BUCKET,
      key: "k",
      ticket,
      sizeBytes: BigInt(count * sizeBytes),
      content: { case: "chunked", value: { chunks: Array.from({ length: count }, () => chunk) } },
    });
  };

  it("has no list of a million items, refused before it is decoded", async () => {
    const list = (count: number): Uint8Array =>
      new Uint8Array(count * 2).map((_, index) => (index % 2 === 0 ? 0x12 : 0));
    const lists = [
      ["DeleteObjects", "keys", LIMITS.DELETE_MANY_MAX, '""'],
      ["CompleteUpload", "parts", HTTP_LIMITS.COMPLETE_PARTS_MAX.value, "{}"],
    ] as const;
    for (const [name, field, max, item] of lists) {
      const method = `ashlar.v1.ObjectService/${name}`;
      const refused = ["invalid_argument", expect.stringContaining(`${field} has at most ${max} items`)];
      const json = `{"${field}":[${`${item},`.repeat(max)}${item}]}`;
      for (const [body, type] of [
        [list(max + 1), "application/proto"],
        [list(max + 1), "Application/Proto"],
        [json, "application/json"],
      ] as const) {
        const answer = await call(method, body, type);
        expect([answer.code, answer.text]).toEqual(refused);
      }
      for (const type of ["application/grpc-web+proto", "application/grpc-web+json"]) {
        const answer = await call(method, type.endsWith("json") ? json : list(max + 1), type);
        expect([answer.code, answer.text]).toEqual(["3", expect.stringContaining("has%20at%20most")]);
      }
    }
  });

  it("names as many parts as an upload may have, in JSON too", async () => {
    const etag = "f".repeat("0123456789abcdef0123456789abcdef-16384".length);
    const max = HTTP_LIMITS.COMPLETE_PARTS_MAX.value;
    const parts = Array.from({ length: max }, (_, index) => ({ partNumber: 900_000 + index, etag }));
    const method = "ashlar.v1.ObjectService/CompleteUpload";
    const message = { uploadId: "no-such-upload", parts };
    expect((await call(method, JSON.stringify(message), "application/json")).code).toBe("not_found");
    expect((await call(method, encode(ObjectService.method.completeUpload.input, message))).code).toBe("not_found");
  });

  it("has no number that is longer than numbers are, however it is written", async () => {
    const digits = "9".repeat(100_000);
    const numbers = [
      digits,
      `"${digits}"`,
      `"  ${digits}"`,
      `"\\u0039${digits}"`,
      `"-${digits}"`,
      `"0x${digits}"`,
      `"1.${digits}"`,
    ];
    const bodies = numbers.flatMap((number) => [
      ["CommitWrite", `{"sizeBytes":${number}}`],
      ["CommitWrite", `{"chunked":{"chunks":[{"size_bytes":${number}}]}}`],
      ["CommitWrite", `{"\\u0073izeBytes":${number}}`],
      ["ListObjects", `{"limit":${number}}`],
    ]);
    for (const [name, body = ""] of bodies) {
      for (const type of ["application/json", "application/grpc-web+json"]) {
        const answer = await call(`ashlar.v1.ObjectService/${name}`, body, type);
        const refused = type === "application/json" ? "a number has at most 128" : "a%20number%20has%20at%20most";
        expect([body.slice(0, 80), answer.text]).toEqual([body.slice(0, 80), expect.stringContaining(refused)]);
      }
    }
  });

  it("has no unknown fields beyond what a message with bytes needs", async () => {
    const message = encode(ObjectService.method.writeObject.input, {
      header: { bucket: BUCKET, key: "k" },
      data: new Uint8Array(9),
    });
    const unknown = new Uint8Array(2 * HTTP_LIMITS.MESSAGE_FIELDS_MAX.value).fill(0x78);
    for (let index = 1; index < unknown.length; index += 2) unknown[index] = 1;
    const send = (bytes: Uint8Array) => call("ashlar.v1.ObjectService/WriteObject", Buffer.concat([message, bytes]));
    expect((await send(unknown.subarray(0, 200))).code).toBe("ok");
    expect((await send(unknown)).code).toBe("invalid_argument");
  });

  it("names no more chunks than its size allows, and one chunk as often as it occurs", async () => {
    const { ticket } = await begin();
    const commit = async (count: number, sizeBytes: number): Promise<string> => {
      const { text } = await call("ashlar.v1.ObjectService/CommitWrite", chunks(ticket, count, sizeBytes));
      return text;
    };
    const tooMany = LIMITS.COMMIT_CHUNKS_MAX + 1;
    expect(await commit(tooMany, MIB)).toContain("chunks has at most 16384 items");
    expect(await commit(HTTP_LIMITS.SMALL_CHUNKS_MAX.value + 2, 1)).toContain("on average");
    // Not too many: the next check refuses them.
    expect(await commit(HTTP_LIMITS.SMALL_CHUNKS_MAX.value, 1)).toContain("no receipt");
    expect(await commit(tooMany - 1, 4 * MIB)).toContain("no receipt");
  });

  it("with a thousand keys in any escaping is taken", async () => {
    const keys = Array.from({ length: 1000 }, (_, index) => `${index}`.padStart(4, "0") + "\u0001".repeat(1020));
    const deleted = await call(
      "ashlar.v1.ObjectService/DeleteObjects",
      JSON.stringify({ bucket: BUCKET, keys }),
      "application/json",
    );
    expect(deleted.code).toBe("ok");
    expect(
      (
        await call(
          "ashlar.v1.ObjectService/DeleteObjects",
          encode(ObjectService.method.deleteObjects.input, { bucket: BUCKET, keys }),
        )
      ).code,
    ).toBe("ok");
  });

  it("names a chunk once", async () => {
    for (const method of ["HasChunks"]) {
      const body = encode(HasChunksRequestSchema, { chunkIds: [KEY_ID, KEY_ID] });
      const response = await fetch(`${test.url}/ashlar.v1.ChunkService/${method}`, {
        method: "POST",
        headers: { "content-type": "application/proto", authorization: `Bearer ${(await begin()).grant}` },
        body: Buffer.from(body),
      });
      expect(await response.json()).toMatchObject({ code: "invalid_argument" });
    }
  });

  it("is quoted only in part, however long it is", async () => {
    const long = "x".repeat(200 * KIB);
    for (const body of [
      { offset: long },
      { offset: "9".repeat(60_000) },
      { bucket: long, key: "k" },
      { bucket: BUCKET, key: long },
    ]) {
      for (const method of ["HeadObject", "Locate", "DeleteObject"]) {
        const { code, text } = await call(
          `ashlar.v1.ObjectService/${method}`,
          JSON.stringify(body),
          "application/json",
        );
        expect([Object.keys(body), method, code, text.length < 4 * KIB]).not.toContain(false);
      }
    }
    const nested = `{"offset":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
    const { code, text } = await call("ashlar.v1.ObjectService/HeadObject", nested, "application/json");
    expect([code, text.length < KIB]).toEqual(["invalid_argument", true]);
  });
});

async function begin(): Promise<{ readonly ticket: string; readonly grant: string }> {
  const request = JSON.stringify({ bucket: BUCKET });
  const { text } = await call("ashlar.v1.ObjectService/BeginWrite", request, "application/json");
  return JSON.parse(text) as { readonly ticket: string; readonly grant: string };
}

describe("frames", () => {
  it("have a least size, so that a reader cannot ask for one message per byte", async () => {
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${test.keys.readwrite}`);
      return next(request);
    };
    const transport = createGrpcTransport({ baseUrl: test.url, acceptCompression: [], interceptors: [authorize] });
    const objects = createClient(ObjectService, transport);
    await objects.writeObject({ header: { bucket: BUCKET, key: "framed" }, data: new Uint8Array(100_000) });
    const sizes: number[] = [];
    for await (const { payload } of objects.getObject({ bucket: BUCKET, key: "framed", frameBytes: 1 })) {
      if (payload.case === "frame") sizes.push(payload.value.byteLength);
    }
    const min = HTTP_LIMITS.FRAME_MIN_BYTES.value;
    expect(new Set(sizes.slice(0, -1))).toEqual(new Set([min]));
    expect(sizes.reduce((sum, each) => sum + each, 0)).toBe(100_000);
    const tooLarge = async (): Promise<void> => {
      for await (const _ of objects.getObject({ bucket: BUCKET, key: "framed", frameBytes: 2 * MIB }));
    };
    expect(await codeOf(tooLarge())).toBe("INVALID_ARGUMENT");
  });
});
