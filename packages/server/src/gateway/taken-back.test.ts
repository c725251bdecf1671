import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import type { Clock } from "@ashlar/sdk/ports";
import { PutObjectRequestSchema } from "@ashlar/sdk/rpc";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { createManualClock } from "../http/testing/manual-clock.ts";
import { rawRequest } from "../http/testing/raw-request.ts";
import { startTestGateway, type TestGateway } from "./testing/start-test-gateway.ts";

// HTTP/2 clients cancel an upload by END_STREAM and RST_STREAM, and a hop on the way may separate the two. Here the clock stands still between them.

const LATE_RESET_MS = HTTP_LIMITS.LATE_RESET_MS.value;
const BYTES = new Uint8Array(100_000).fill(120);
/** The SHA-256 of BYTES. */
const SHA256 = Buffer.from(await crypto.subtle.digest("SHA-256", BYTES)).toString("hex");

const manual = createManualClock();
let waiting = 0;
/** Counts the calls that wait for a late reset. */
const clock: Clock = {
  ...manual,
  sleep(durationMs, options) {
    const slept = manual.sleep(durationMs, options);
    if (durationMs !== LATE_RESET_MS) return slept;
    waiting++;
    return slept.finally(() => waiting--);
  },
};

let gateway: TestGateway;
let session: ClientHttp2Session;
let authorization = "";

beforeAll(async () => {
  gateway = await startTestGateway(
    {
      metadata: createMemoryMetadataStore(),
      topology: singleStoreTopology(createMemoryChunkStore()),
      hasher: nodeCryptoHasher,
    },
    { clock },
  );
  authorization = `Bearer ${gateway.keys.readwrite}`;
  session = connect(gateway.url);
  expect((await rawRequest(gateway.url, "/objects/box", { method: "PUT", headers: { authorization } })).status).toBe(
    201,
  );
});

afterAll(async () => {
  session.destroy();
  await gateway.close();
});

type Message = MessageInitShape<typeof PutObjectRequestSchema>["payload"];

function enveloped(payload: Message): Buffer {
  const bytes = toBinary(PutObjectRequestSchema, create(PutObjectRequestSchema, { payload } as never));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

/** What an upload says of its bytes before they come. */
interface Declared {
  readonly sizeBytes?: number;
  readonly sha256?: string;
}

/** Begins to upload BYTES, and does not end the body. */
type Upload = (key: string, declared?: Declared, on?: ClientHttp2Session) => ClientHttp2Stream;

const plain: Upload = (key, { sizeBytes, sha256 } = {}, on = session) => {
  const stream = on.request({
    ":method": "PUT",
    ":path": `/objects/box/${key}`,
    authorization,
    ...(sizeBytes === undefined ? {} : { "content-length": sizeBytes }),
    ...(sha256 === undefined ? {} : { "ashlar-sha256": sha256 }),
  });
  stream.on("error", () => {}).write(BYTES);
  return stream;
};

const rpc =
  (contentType: string): Upload =>
  (key, { sizeBytes, sha256 } = {}, on = session) => {
    const stream = on.request({
      ":method": "POST",
      ":path": "/ashlar.v1.ObjectService/PutObject",
      "content-type": contentType,
      te: "trailers",
      authorization,
    });
    const header = {
      bucket: "box",
      key,
      ...(sizeBytes === undefined ? {} : { sizeBytes: BigInt(sizeBytes) }),
      ...(sha256 === undefined ? {} : { sha256 }),
    };
    stream.on("error", () => {}).write(enveloped({ case: "header", value: header }));
    stream.write(enveloped({ case: "frame", value: BYTES }));
    return stream;
  };

const WAYS: Readonly<Record<string, Upload>> = {
  "a plain PUT": plain,
  "PutObject by gRPC": rpc("application/grpc+proto"),
  "PutObject by gRPC-Web": rpc("application/grpc-web+proto"),
  "PutObject by Connect": rpc("application/connect+proto"),
};

const closed = (stream: ClientHttp2Stream): Promise<unknown> =>
  new Promise((resolve) => stream.resume().once("close", resolve));

/** The length of an object; `undefined` if there is none. */
const sizeOf = async (key: string): Promise<string | undefined> => {
  const { status, headers: found } = await rawRequest(gateway.url, `/objects/box/${key}`, {
    method: "HEAD",
    headers: { authorization },
  });
  return status === 200 ? found["content-length"] : undefined;
};

/** After a few requests the gateway has done all that it does about a reset. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await sizeOf("none");
};

describe.each(Object.entries(WAYS))("%s over HTTP/2", (name, upload) => {
  const key = (what: string): string => encodeURIComponent(`${name} ${what}`).replaceAll("%20", "-");

  it("of unknown length is taken back by a reset that comes later than its end", async () => {
    for (const code of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR]) {
      const stream = upload(key(`cancelled-${code}`));
      stream.end();
      await expect.poll(() => waiting).toBe(1);
      stream.close(code);
      await expect.poll(() => waiting).toBe(0);
      await manual.advance(LATE_RESET_MS);
      await settled();
      expect(await sizeOf(key(`cancelled-${code}`))).toBeUndefined();
    }
  });

  it("of unknown length is taken back by the end of its connection", async () => {
    const own = connect(gateway.url);
    upload(key("cut"), {}, own).end();
    await expect.poll(() => waiting).toBe(1);
    own.destroy();
    await expect.poll(() => waiting).toBe(0);
    await settled();
    expect(await sizeOf(key("cut"))).toBeUndefined();
  });

  it("of unknown length is kept when nothing took it back", async () => {
    const stream = upload(key("whole"));
    stream.end();
    await expect.poll(() => waiting).toBe(1);
    expect(await sizeOf(key("whole"))).toBeUndefined();
    await manual.advance(LATE_RESET_MS);
    await closed(stream);
    expect(await sizeOf(key("whole"))).toBe(String(BYTES.byteLength));
  });

  it.each(Object.entries({ length: { sizeBytes: BYTES.byteLength }, digest: { sha256: SHA256 } }))(
    "with a %s waits for nothing",
    async (what, declared) => {
      const stream = upload(key(what), declared);
      stream.end();
      // The clock stands still.
      await closed(stream);
      expect(await sizeOf(key(what))).toBe(String(BYTES.byteLength));
    },
  );

  it.each(Object.entries({ length: { sizeBytes: BYTES.byteLength + 1 }, digest: { sha256: "0".repeat(64) } }))(
    "that is not what its %s says is refused",
    async (what, declared) => {
      const stream = upload(key(`other-${what}`), declared);
      stream.end();
      await closed(stream);
      expect(await sizeOf(key(`other-${what}`))).toBeUndefined();
    },
  );
});

describe("a plain PUT over HTTP/1.1", () => {
  it("waits for nothing, whatever it declares", async () => {
    const body = (async function* () {
      yield BYTES;
    })();
    const answer = await rawRequest(gateway.url, "/objects/box/chunked", {
      method: "PUT",
      headers: { authorization },
      body,
    });
    expect(answer.status).toBe(200);
    expect(await sizeOf("chunked")).toBe(String(BYTES.byteLength));
  });
});
