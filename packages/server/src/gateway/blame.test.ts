import { connect as connectHttp2 } from "node:http2";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { type LogFields, type Logger, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { ObjectService } from "@ashlar/sdk/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createGrantKeeper } from "../grants/index.ts";
import { createMetrics } from "../observability/index.ts";
import { startTestGateway, TEST_CLUSTER_KEY, type TestGateway } from "./testing/start-test-gateway.ts";

// What a client sends wrong is INVALID_ARGUMENT on every protocol. It is not logged as an error and not counted as a failure.

const errors: LogFields[] = [];
const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields), child: () => logger };
const metrics = createMetrics();
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway(
    {
      metadata: createMemoryMetadataStore(),
      topology: singleStoreTopology(createMemoryChunkStore()),
      hasher: nodeCryptoHasher,
    },
    { logger, metrics },
  );
});

afterAll(async () => {
  await gateway.close();
});

afterEach(async () => {
  expect(errors.splice(0)).toEqual([]);
  const counted = (await metrics.render()).text
    .split("\n")
    .filter((line) => line.startsWith("ashlar_http_failures_total"));
  expect(counted.length).toBeGreaterThan(0);
  for (const line of counted) expect(line).toMatch(/ 0$/);
});

const KINDS = [
  "connect+proto",
  "connect+json",
  "grpc",
  "grpc-web",
  "connect-stream+proto",
  "connect-stream+json",
] as const;
type Kind = (typeof KINDS)[number];

const CONTENT_TYPES: Readonly<Record<Kind, string>> = {
  "connect+proto": "application/proto",
  "connect+json": "application/json",
  grpc: "application/grpc",
  "grpc-web": "application/grpc-web+proto",
  "connect-stream+proto": "application/connect+proto",
  "connect-stream+json": "application/connect+json",
};

/** Connect names of the values of grpc-status that occur here. */
const GRPC_NAMES: Readonly<Record<string, string>> = {
  "0": "ok",
  "1": "canceled",
  "2": "unknown",
  "3": "invalid_argument",
  "5": "not_found",
  "8": "resource_exhausted",
  "12": "unimplemented",
  "13": "internal",
};

interface Answer {
  readonly status: number;
  readonly code: string;
}

/** One call over HTTP/2 with the bytes as they are. */
function call(
  path: string,
  contentType: string,
  body: Uint8Array,
  options: { readonly headers?: Record<string, string>; readonly method?: string } = {},
): Promise<Answer> {
  const session = connectHttp2(gateway.url);
  return new Promise<Answer>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({
      ":method": options.method ?? "POST",
      ":path": path,
      ...(contentType === "" ? {} : { "content-type": contentType }),
      authorization: `Bearer ${gateway.keys.admin}`,
      te: "trailers",
      ...options.headers,
    });
    let status = 0;
    let grpcStatus: string | undefined;
    const pieces: Buffer[] = [];
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
      grpcStatus = headers["grpc-status"] as string | undefined;
    });
    stream.on("trailers", (trailers) => {
      grpcStatus = String(trailers["grpc-status"]);
    });
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", reject);
    stream.on("close", () => resolve({ status, code: codeOf(Buffer.concat(pieces), grpcStatus) }));
    if (options.method !== "GET") stream.end(body);
  }).finally(() => session.close());
}

function codeOf(body: Buffer, grpcStatus: string | undefined): string {
  const status = grpcStatus ?? /grpc-status: ?(\d+)/i.exec(body.toString("latin1"))?.[1];
  if (status !== undefined) return GRPC_NAMES[status] ?? status;
  const error = /"code":"([A-Za-z_]+)"/.exec(body.toString("latin1"))?.[1];
  return error?.toLowerCase() ?? "ok";
}

function envelope(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

const clusterGrant = async (): Promise<string> =>
  createGrantKeeper({ clusterKey: TEST_CLUSTER_KEY, clock: systemClock, random: systemRandom }).issueCluster();
const text = (value: string): Buffer => Buffer.from(value);
const { method } = ObjectService;
const OBJECTS = "/ashlar.v1.ObjectService";

/** A unary method for unary kinds, PutObject (client streaming) for Connect's streams. */
function send(kind: Kind, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
  const isStream = kind.startsWith("connect-stream");
  const isBare = kind === "connect+proto" || kind === "connect+json";
  const path = `${OBJECTS}/${isStream ? "PutObject" : "WriteObject"}`;
  return call(path, CONTENT_TYPES[kind], isBare ? bytes : envelope(bytes), { headers });
}

const isJson = (kind: Kind): boolean => kind.endsWith("json");

const BAD_BINARY: readonly (readonly [string, Uint8Array])[] = [
  ["a varint that ends too soon", Buffer.from([0x0a, 0xff])],
  ["a length beyond the message", Buffer.from([0x0a, 0x7f, 0x61])],
  ["a varint of eleven bytes", Buffer.from([0x08, ...Array<number>(11).fill(0xff)])],
  ["a wire type that does not exist", Buffer.from([0x0f])],
  ["field number 0", Buffer.from([0x00, 0x01])],
  ["text that is no UTF-8", Buffer.from([0x0a, 0x02, 0x0a, 0x00, 0x0a, 0x04, 0x0a, 0x02, 0xff, 0xfe])],
  ["a group without end", Buffer.from([0x0b, 0x08, 0x01])],
  ["random bytes", Buffer.from("c3f15a0099ffab7e", "hex")],
];

const BAD_JSON: readonly (readonly [string, Uint8Array])[] = [
  ["no JSON", text("{")],
  ["another type", text('{"header":7}')],
  ["an array", text("[]")],
  ["null", text("null")],
  ["NaN", text('{"header":{"sizeBytes":NaN}}')],
  ["a fraction where an integer is due", text('{"header":{"sizeBytes":1.5}}')],
  ["a number beyond 64 bits", text('{"header":{"sizeBytes":"99999999999999999999"}}')],
  ["base64 that is none", text('{"data":"***"}')],
  ["bytes that are no UTF-8", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
];

describe.each(KINDS)("over %s", (kind) => {
  it.each(isJson(kind) ? BAD_JSON : BAD_BINARY)("%s is the client's fault", async (_name, bytes) => {
    const { status, code } = await send(kind, bytes);
    expect([code, status]).toEqual([
      "invalid_argument",
      kind === "connect+proto" || kind === "connect+json" ? 400 : 200,
    ]);
  });

  it("so are timeouts that are not valid", async () => {
    const header = kind.startsWith("grpc") ? "grpc-timeout" : "connect-timeout-ms";
    for (const value of ["-1", "soon", "1e3", "99999999999"]) {
      expect([value, (await send(kind, text(""), { [header]: value })).code]).toEqual([value, "invalid_argument"]);
    }
  });

  it("a compression that nobody knows is refused as the protocols say", async () => {
    const isUnary = kind === "connect+proto" || kind === "connect+json";
    const header = isUnary
      ? "content-encoding"
      : kind.startsWith("grpc")
        ? "grpc-encoding"
        : "connect-content-encoding";
    expect((await send(kind, text(""), { [header]: "gzip" })).code).toBe("unimplemented");
  });
});

describe("envelopes", () => {
  const kinds = ["grpc", "grpc-web", "connect-stream+proto"] as const;
  const path = (kind: Kind, unary: string, stream: string): string =>
    `${OBJECTS}/${kind.startsWith("connect") ? stream : unary}`;

  it.each(kinds)("over %s that are compressed, cut, missing or too many are the client's fault", async (kind) => {
    const target = path(kind, "HeadObject", "PutObject");
    const message = toBinary(method.headObject.input, create(method.headObject.input, { bucket: "b", key: "k" }));
    const bodies: [string, Uint8Array][] = [
      ["compressed without an encoding", envelope(text("xx"), 1)],
      ["cut in its head", Buffer.from([0, 0])],
      ["cut in its body", envelope(message).subarray(0, 7)],
      ["of a length that nobody has", Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])],
    ];
    if (kind !== "connect-stream+proto") {
      bodies.push(
        ["twice where one is due", Buffer.concat([envelope(message), envelope(message)])],
        ["none", text("")],
      );
    } else bodies.push(["none", text("")]);
    for (const [name, body] of bodies) {
      expect([name, (await call(target, CONTENT_TYPES[kind], body)).code]).toEqual([name, "invalid_argument"]);
    }
  });

  it("of a server-streaming method are exactly one", async () => {
    const message = envelope(text(""));
    for (const body of [text(""), Buffer.concat([message, message])]) {
      for (const type of ["application/grpc", "application/grpc-web", "application/connect+proto"]) {
        expect((await call(`${OBJECTS}/GetObject`, type, body)).code).toBe("invalid_argument");
      }
    }
  });

  it("of a stream are refused in the middle, too", async () => {
    await call(`${OBJECTS}/CreateBucket`, "application/json", text('{"bucket":"middle"}'));
    const header = toBinary(
      method.putObject.input,
      create(method.putObject.input, { payload: { case: "header", value: { bucket: "middle", key: "k" } } }),
    );
    for (const type of ["application/grpc", "application/grpc-web", "application/connect+proto"]) {
      const body = Buffer.concat([envelope(header), envelope(Buffer.from([0x0a, 0xff]))]);
      expect([type, (await call(`${OBJECTS}/PutObject`, type, body)).code]).toEqual([type, "invalid_argument"]);
    }
    const head = await call(`${OBJECTS}/HeadObject`, "application/json", text('{"bucket":"middle","key":"k"}'));
    expect(head.code).toBe("not_found");
  });
});

describe("what does not fit a method", () => {
  it("is refused with the status that says so, and a message", async () => {
    const get = `${OBJECTS}/HeadObject?encoding=proto&base64=1&message=%2A%2A`;
    expect(await call(get, "", text(""), { method: "GET" })).toEqual({ status: 405, code: "unsupported" });
    const answers = [
      await call(`${OBJECTS}/HeadObject`, "text/plain", text("x")),
      await call(`${OBJECTS}/HeadObject`, "application/grpc-web-text", text("AAAAAAA=")),
      await call(`${OBJECTS}/HeadObject`, "application/connect+proto", text("")),
      await call(`${OBJECTS}/PutObject`, "application/json", text("{}")),
    ];
    expect(answers).toEqual(answers.map(() => ({ status: 415, code: "invalid_argument" })));
    expect(await call(`${OBJECTS}/HeadObject`, "application/proto", text(""), { method: "PUT" })).toEqual({
      status: 405,
      code: "unsupported",
    });
  });
});

it("numbers that no field or limit takes are the client's fault, whatever client that is", async () => {
  const json = (name: string, message: object): Promise<Answer> =>
    call(`${OBJECTS}/${name}`, "application/json", text(JSON.stringify(message)));
  await json("CreateBucket", { bucket: "numbers" });
  for (const number of [1_000_001, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53, -1, 1.5, "NaN", "1e40"]) {
    const answers = [
      await json("CompleteUpload", { uploadId: "u", parts: [{ partNumber: number, etag: "e" }] }),
      await json("WritePart", { uploadId: "u", partNumber: number, data: "AAAA" }),
      await json("ListObjects", { bucket: "numbers", limit: number }),
      await json("ListUploads", { bucket: "numbers", limit: number }),
      await json("ListParts", { uploadId: "u", limit: number }),
    ];
    expect([number, ...answers.map(({ code }) => code)]).toEqual([number, ...answers.map(() => "invalid_argument")]);
  }
  for (const partNumber of [0, 1_000_001, 2 ** 32 - 1]) {
    const message = { uploadId: "u", parts: [{ partNumber, etag: "e" }] };
    const bytes = toBinary(method.completeUpload.input, create(method.completeUpload.input, message));
    for (const type of ["application/grpc", "application/grpc-web"])
      expect((await call(`${OBJECTS}/CompleteUpload`, type, envelope(bytes))).code).toBe("invalid_argument");
  }
});

it("bytes that do not have their digest are the client's fault", async () => {
  const message = { chunkId: Buffer.alloc(32, 1).toString("base64"), data: "AAAA" };
  const answer = await call("/ashlar.v1.ChunkService/WriteChunk", "application/json", text(JSON.stringify(message)), {
    headers: { authorization: `Bearer ${await clusterGrant()}` },
  });
  expect(answer).toEqual({ status: 422, code: "data_loss" });
});

it("deadlines beyond the longest timer do not run out at once", async () => {
  const message = toBinary(method.writeObject.input, create(method.writeObject.input, {}));
  for (const [type, header, value] of [
    ["application/proto", "connect-timeout-ms", "9999999999"],
    ["application/grpc", "grpc-timeout", "99999999H"],
    ["application/grpc-web", "grpc-timeout", "99999999S"],
  ] as const) {
    const body = type === "application/proto" ? message : envelope(message);
    const { code } = await call(`${OBJECTS}/ListBuckets`, type, body, { headers: { [header]: value } });
    expect([type, code]).toEqual([type, "ok"]);
  }
});
