import { ChunkService, ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import type { DescMethod } from "@bufbuild/protobuf";
import { createSeededRandom, type SeededRandom } from "../support/seeded-random.ts";
import { binaryMessage, chance, jsonMessage, mutated, pick } from "./fuzz-message.ts";

/** The servers that get the requests. */
export type FuzzTarget = "serve" | "node";

/** How the bytes of a request go out. */
export type FuzzManner = "whole" | "half-closed" | "half-cut" | "slow" | "cut-at-answer" | "reset";

/** One request, a function of seed and number alone: it can be made again. */
export interface FuzzRequest {
  readonly number: number;
  readonly target: FuzzTarget;
  readonly wire: "http1" | "http2";
  readonly method: string;
  readonly path: string;
  /** Names may repeat on HTTP/1.1. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  readonly manner: FuzzManner;
  /** HTTP/1.1 only: instead of a well-formed request. */
  readonly raw?: Uint8Array | undefined;
}

/** Credentials that are accepted, by target. */
export type FuzzCredentials = Readonly<Record<FuzzTarget, readonly string[]>>;

const METHODS: Readonly<Record<FuzzTarget, readonly DescMethod[]>> = {
  // ChangeLayout may not succeed: it would take the only store out of service, and later failures would be right.
  serve: [ObjectService, ChunkService, ClusterService, CredentialService]
    .flatMap((service): readonly DescMethod[] => service.methods)
    .filter(({ name }) => name !== "ChangeLayout"),
  node: ChunkService.methods,
};

const STANDARD = [
  "/grpc.health.v1.Health/Check",
  "/grpc.health.v1.Health/List",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  "/ashlar.v1.ObjectService/NoSuchMethod",
  "/ashlar.v1.CredentialService/ListApiKeys",
];

const DATES = ["Sun, 06 Nov 1994 08:49:37 GMT", "1", "", "Thu, 31 Feb 2026 00:00:00 GMT", "2999-01-01", "\u00e9"];
const TAGS = ['"x"', "*", '"*"', 'W/"x"', "x", '""', '"a", "b"', '"', ", ,", '"\u00ff"'];
const HTTP_HEADERS: readonly (readonly [string, readonly string[]])[] = [
  [
    "range",
    [
      "bytes=0-0",
      "bytes=-1",
      "bytes=5-",
      "bytes=1-0",
      "bytes=0-1,3-4",
      "bytes=",
      "lines=1-2",
      `bytes=${"9".repeat(60)}-`,
    ],
  ],
  ["if-match", TAGS],
  ["if-none-match", TAGS],
  ["if-range", [...TAGS, ...DATES]],
  ["if-modified-since", DATES],
  ["if-unmodified-since", DATES],
  ["content-range", ["bytes 0-1/2", "x"]],
  ["content-type", ["text/html", "application/json", "\u00ff\u00fe", "x".repeat(3000)]],
  ["content-encoding", ["gzip", "identity", "x"]],
  ["expires", DATES],
  ["ashlar-meta-a", ["1", "%", "%ff", "%D0%9E", "\u00d0\u009e", "x".repeat(9000)]],
  ["ashlar-meta-__proto__", ["x"]],
  ["ashlar-metadata", ["***", "YT0xCg", "YT0x", "_w"]],
  ["ashlar-sha256", ["0".repeat(64), "x", ""]],
  ["ashlar-durability", ["strict", "os", "never"]],
  ["ashlar-copy-source", ["fuzz-0/k0", "fuzz-0", "%", "/fuzz-1/k1", "no-such/k"]],
  ["ashlar-node-id", ["x"]],
  ["ashlar-unclaimed-for-ms", ["0", "-1", "1e9", "9".repeat(17)]],
  ["ashlar-request-id", ["r1", "x".repeat(200), "\u00e9"]],
  ["traceparent", ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "ff-x", "00-0-0-0"]],
  ["origin", ["https://app.example", "null", "x"]],
  ["access-control-request-method", ["PUT"]],
  ["expect", ["100-continue"]],
];

/** Request number `number` of a run. */
export function fuzzRequest(seed: number, number: number, credentials: FuzzCredentials): FuzzRequest {
  const random = createSeededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const target: FuzzTarget = chance(random, 70) ? "serve" : "node";
  const kind = random.below(100);
  const base = { number, target, headers: credentialHeaders(target, credentials, random) };
  if (kind < 6)
    return { ...base, ...plain(random, target), wire: "http1", raw: rawBytes(random), manner: "half-closed" };
  if (kind < 40) return finished(random, { ...base, ...plain(random, target) }, plain(random, target).headers);
  return rpcRequest(random, base);
}

type Base = Pick<FuzzRequest, "number" | "target" | "headers">;

function finished(
  random: SeededRandom,
  request: Omit<FuzzRequest, "wire" | "manner">,
  more: FuzzRequest["headers"],
  wire: FuzzRequest["wire"] = chance(random, 50) ? "http1" : "http2",
): FuzzRequest {
  const manners: FuzzManner[] = ["half-closed", "half-cut", "slow", "cut-at-answer", "reset"];
  const manner = chance(random, 85) ? "whole" : pick(random, manners);
  return { ...request, headers: [...request.headers, ...more], wire, manner };
}

function credentialHeaders(
  target: FuzzTarget,
  credentials: FuzzCredentials,
  random: SeededRandom,
): FuzzRequest["headers"] {
  if (chance(random, 10)) return [];
  const token = pick(random, credentials[target]);
  const wrong = [
    "Bearer",
    "Basic eDp5",
    "Bearer ashlar_0000000000000000_x",
    "Bearer a.b",
    `Bearer ${token.slice(0, -1)}x`,
    "\u00ff",
  ];
  return [["authorization", chance(random, 80) ? `Bearer ${token}` : pick(random, wrong)]];
}

function plain(random: SeededRandom, target: FuzzTarget): Pick<FuzzRequest, "method" | "path" | "headers" | "body"> {
  const method = pick(random, [
    "GET",
    "GET",
    "GET",
    "HEAD",
    "PUT",
    "PUT",
    "DELETE",
    "POST",
    "OPTIONS",
    "PATCH",
    "TRACE",
  ]);
  const headers = HTTP_HEADERS.filter(() => chance(random, 12)).map(
    ([name, values]) => [name, pick(random, values)] as const,
  );
  const body = ["PUT", "POST", "PATCH"].includes(method)
    ? random.bytes(pick(random, [0, 1, 100, 5000, 70_000]))
    : new Uint8Array(0);
  const chunk = `/chunks/${Buffer.from(random.bytes(32)).toString("hex")}`;
  const bucket = pick(random, ["fuzz-0", "fuzz-1", "fuzz-2", "no-such", "A", "%zz", "..", ""]);
  const key = pick(random, ["k0", "k1", "folder/k3", "%00", "%ff", "%", "..", "//", "%D0%BA", "x".repeat(1200), "a?b"]);
  const query = pick(random, [
    "",
    "",
    "?prefix=k",
    "?limit=0",
    "?limit=5&limit=6",
    "?prefix=%ff",
    "?cursor=x",
    "?delimiter=/&startAfter=k0",
  ]);
  const paths = [
    chunk,
    "/chunks/x",
    `/objects/${bucket}/${key}`,
    `/objects/${bucket}${query}`,
    "/objects",
    "/access-tokens",
    "/healthz",
    "/",
    "//",
    "*",
  ];
  const own =
    target === "serve"
      ? [`/objects/${bucket}/${key}`, `/objects/${bucket}/${key}`, `/objects/${bucket}${query}`]
      : [chunk, chunk];
  return { method, path: pick(random, [...paths, ...own, ...own]), headers, body };
}

const CONTENT_TYPES = {
  "application/proto": { envelope: false, json: false, wire: undefined },
  "application/json": { envelope: false, json: true, wire: undefined },
  "application/connect+proto": { envelope: true, json: false, wire: undefined },
  "application/connect+json": { envelope: true, json: true, wire: undefined },
  "application/grpc": { envelope: true, json: false, wire: "http2" },
  "application/grpc+proto": { envelope: true, json: false, wire: "http2" },
  "application/grpc-web": { envelope: true, json: false, wire: undefined },
  "application/grpc-web+json": { envelope: true, json: true, wire: undefined },
  "application/grpc-web-text": { envelope: true, json: false, wire: undefined },
  "text/plain": { envelope: false, json: true, wire: undefined },
} as const;

const RPC_HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["connect-protocol-version", ["1", "2", "x"]],
  ["connect-timeout-ms", ["5000", "1", "-1", "9999999999", "x"]],
  ["grpc-timeout", ["5S", "1n", "99999999H", "x", "1"]],
  ["grpc-encoding", ["gzip", "identity", "x"]],
  ["content-encoding", ["gzip", "identity", "br"]],
  ["connect-content-encoding", ["gzip", "x"]],
  ["grpc-accept-encoding", ["gzip,identity", ",,"]],
  ["x-grpc-web", ["1"]],
];

function rpcRequest(random: SeededRandom, base: Base): FuzzRequest {
  const rpc = pick(random, METHODS[base.target]);
  const isStream = rpc.methodKind !== "unary";
  const fitting = isStream
    ? ["application/connect+proto", "application/connect+json"]
    : ["application/proto", "application/json"];
  const common = ["application/grpc", "application/grpc", "application/grpc-web"];
  const names = Object.keys(CONTENT_TYPES);
  const type = (
    chance(random, 90) ? pick(random, [...fitting, ...common]) : pick(random, names)
  ) as keyof typeof CONTENT_TYPES;
  const { envelope, json, wire } = CONTENT_TYPES[type];
  const count = isStream ? 1 + random.below(4) : chance(random, 96) ? 1 : pick(random, [0, 2]);
  const pieces = Array.from({ length: envelope ? count : 1 }, () => {
    const text = json ? Buffer.from(JSON.stringify(jsonMessage(rpc.input, random))) : binaryMessage(rpc.input, random);
    const message = chance(random, 15) ? mutated(text, random) : text;
    return envelope ? inEnvelope(message, random) : message;
  });
  const whole: Uint8Array = Buffer.concat(pieces);
  const body = chance(random, 6) ? mutated(whole, random) : whole;
  const headers = RPC_HEADERS.filter(() => chance(random, 4)).map(
    ([name, values]) => [name, pick(random, values)] as const,
  );
  const path = chance(random, 95) ? `/${rpc.parent.typeName}/${rpc.name}` : pick(random, STANDARD);
  const method = chance(random, 97) ? "POST" : pick(random, ["GET", "PUT", "HEAD"]);
  const request = { ...base, method, path: method === "GET" ? `${path}?encoding=json&message=%7B%7D` : path, body };
  return finished(random, request, [["content-type", type], ...headers], wire);
}

function inEnvelope(message: Uint8Array, random: SeededRandom): Uint8Array {
  const head = Buffer.alloc(5);
  head[0] = chance(random, 95) ? 0 : pick(random, [1, 2, 3, 0x80, 0x81, 0xff]);
  const length = chance(random, 97)
    ? message.byteLength
    : pick(random, [0, 1, message.byteLength + 7, 2 ** 24, 2 ** 32 - 1]);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** Bytes that are no HTTP request, or nearly one. */
function rawBytes(random: SeededRandom): Uint8Array {
  const texts = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a:99999\r\n\r\n",
    "GET /\r\n",
    "PUT /objects/fuzz-0/k0 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "PUT /objects/fuzz-0/k0 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PUT /objects/fuzz-0/k0 HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    "PUT /objects/fuzz-0/k0 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "POST /ashlar.v1.ObjectService/ListBuckets HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u0000\u0000\u0000\u0009\u0009\u0000\u0000\u0000\u0001",
    "GET http://x/healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /objects HTTP/1.1\r\nhost: x\r\n\r\n",
  ];
  const text = Buffer.from(pick(random, texts), "latin1");
  return chance(random, 40) ? mutated(text, random) : chance(random, 10) ? random.bytes(1 + random.below(200)) : text;
}
