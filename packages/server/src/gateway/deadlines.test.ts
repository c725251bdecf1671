import { request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { ObjectService, PutObjectRequestSchema } from "@ashlar/sdk/rpc";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rawRequest } from "../http/testing/raw-request.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

let gateway: TestGateway;
let session: ClientHttp2Session;
let authorization = "";

beforeAll(async () => {
  gateway = await startTestGateway({
    metadata: createMemoryMetadataStore(),
    topology: singleStoreTopology(createMemoryChunkStore()),
    hasher: nodeCryptoHasher,
  });
  authorization = `Bearer ${gateway.keys.readwrite}`;
  session = connect(gateway.url);
  await rawRequest(gateway.url, "/objects/box", { method: "PUT", headers: { authorization } });
  await rawRequest(gateway.url, "/objects/box/k", {
    method: "PUT",
    headers: { authorization },
    body: new Uint8Array(9),
  });
});

afterAll(async () => {
  session.destroy();
  await gateway.close();
});

const HEAD = toBinary(
  ObjectService.method.headObject.input,
  create(ObjectService.method.headObject.input, { bucket: "box", key: "k" }),
);
const PUT = toBinary(
  PutObjectRequestSchema,
  create(PutObjectRequestSchema, { payload: { case: "header", value: { bucket: "box", key: "late" } } }),
);

function enveloped(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

interface Call {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** All of the body, and less than that. */
  readonly whole: Uint8Array;
  readonly part: Uint8Array;
}

function callOf(method: "HeadObject" | "PutObject", contentType: string, timeout: string): Call {
  const message = method === "HeadObject" ? HEAD : PUT;
  const whole = contentType === "application/proto" ? message : enveloped(message);
  const name = contentType.includes("grpc") ? "grpc-timeout" : "connect-timeout-ms";
  return {
    path: `/ashlar.v1.ObjectService/${method}`,
    headers: { "content-type": contentType, te: "trailers", authorization, [name]: timeout },
    whole,
    // A whole message of a stream is a part of its body.
    part: method === "PutObject" ? whole : whole.subarray(0, whole.byteLength - 3),
  };
}

/** All that a call over HTTP/2 is answered; its body ends, or stays open. */
function overHttp2({ path, headers, whole, part }: Call, ends: boolean): Promise<string> {
  return new Promise((resolve) => {
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    let text = "";
    const look = (answered: object): void => {
      text += `${JSON.stringify(answered)} `;
    };
    stream
      .on("error", () => {})
      .on("response", look)
      .on("trailers", look);
    stream.setEncoding("latin1").on("data", (piece) => {
      text += piece;
    });
    stream.once("close", () => resolve(text));
    if (ends) stream.end(whole);
    else stream.write(part);
  });
}

/** grpc-status 4, or its name in Connect. */
const LATE = /"grpc-status":"4"|grpc-status: ?4|"code":"deadline_exceeded"/;

const KINDS = [
  ["HeadObject by gRPC", "HeadObject", "application/grpc", "0S", "50m"],
  ["HeadObject by gRPC-Web", "HeadObject", "application/grpc-web+proto", "0m", "50m"],
  ["HeadObject by Connect", "HeadObject", "application/proto", "0", "50"],
  ["PutObject by gRPC", "PutObject", "application/grpc", "0u", "50000u"],
  ["PutObject by gRPC-Web", "PutObject", "application/grpc-web+proto", "0n", "50m"],
  ["PutObject by Connect", "PutObject", "application/connect+proto", "0", "50"],
] as const;

describe("a deadline", () => {
  it.each(KINDS)("that has passed is DEADLINE_EXCEEDED: %s", async (_, method, type, passed) => {
    expect(await overHttp2(callOf(method, type, passed), true)).toMatch(LATE);
  });

  it.each(KINDS)("ends the wait for a body: %s", async (_, method, type, __, soon) => {
    expect(await overHttp2(callOf(method, type, soon), false)).toMatch(LATE);
  });

  it("ends the wait for a body over HTTP/1.1", async () => {
    const { path, headers, part } = callOf("HeadObject", "application/proto", "50");
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(gateway.url + path, { method: "POST", headers }, (response) => {
        resolve(response.resume().statusCode);
        request.destroy();
      });
      request.on("error", reject).write(part);
    });
    expect(status).toBe(504);
  });

  it("ends the wait for a body in a fetch-style server", async () => {
    const { path, headers, part } = callOf("HeadObject", "application/proto", "50");
    const body = new ReadableStream({ start: (controller) => controller.enqueue(part) });
    const init = { method: "POST", headers, body, duplex: "half" };
    const response = await gateway.gateway.fetch(new Request(gateway.url + path, init as RequestInit));
    expect([response.status, await response.text()]).toEqual([504, expect.stringMatching(LATE)]);
  });

  it("leaves nothing of what it ended", async () => {
    const { status } = await rawRequest(gateway.url, "/objects/box/late", {
      method: "HEAD",
      headers: { authorization },
    });
    expect(status).toBe(404);
  });
});
