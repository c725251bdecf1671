/** The object store from Node with @grpc/grpc-js and the `.proto` files: nothing of Ashlar's own is imported. */
import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, Metadata, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

// biome-ignore lint/suspicious/noExplicitAny: proto-loader makes messages and clients at run time, without types.
type Untyped = any;

const FRAME_BYTES = 64 * 1024;
const includeDirs = ["proto", "proto-vendor"].map((name) => fileURLToPath(new URL(`../../${name}`, import.meta.url)));
const files = ["ashlar/v1/object_service.proto", "grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto"];
const { ashlar, grpc }: Untyped = loadPackageDefinition(loadSync(files, { includeDirs, longs: String, enums: String }));

// Here one line about the error is enough.
process.once("uncaughtException", (error: Untyped) => {
  const told = error.details === undefined ? error.message : `${status[error.code]} ${error.details}`;
  console.error(
    `${told}\nASHLAR_GATEWAY and ASHLAR_API_KEY name the server: does it run, and is the key one of its keys?`,
  );
  process.exit(1);
});

const server = new URL(process.env.ASHLAR_GATEWAY ?? "http://127.0.0.1:9000").host;
const key = new Metadata();
key.set("authorization", `Bearer ${process.env.ASHLAR_API_KEY}`);

const health = new grpc.health.v1.Health(server, credentials.createInsecure());
console.log("health:", (await unary(health, "check", { service: "" })).status);

const reflection = new grpc.reflection.v1.ServerReflection(server, credentials.createInsecure());
console.log("services:", (await listServices()).filter((name) => name.startsWith("ashlar")).join(", "));

const objects = new ashlar.v1.ObjectService(server, credentials.createInsecure());
const bucket = "from-grpc-js";
await unary(objects, "createBucket", { bucket });

const body = randomBytes(3_000_000);
const { outcome } = await put(
  { bucket, key: "a/random.bin", attributes: { contentType: "application/x-random" } },
  body,
);
console.log("put:", outcome.info.key, outcome.info.sizeBytes, "bytes");
console.log("digest agrees:", outcome.info.sha256 === createHash("sha256").update(body).digest("hex"));

const whole = await get({ bucket, key: "a/random.bin" });
console.log("get:", whole.info.attributes.contentType, "same bytes:", whole.bytes.equals(body));
const range = await get({ bucket, key: "a/random.bin", offset: 1000, length: 500 });
console.log("range:", range.bytes.byteLength, "bytes, right ones:", range.bytes.equals(body.subarray(1000, 1500)));

const list = await unary(objects, "listObjects", { bucket, delimiter: "/" });
console.log("list:", list.prefixes);
const missing = await unary(objects, "headObject", { bucket, key: "none" }).catch((error: Untyped) => error);
console.log("missing:", status[missing.code], missing.details);

await unary(objects, "deleteObject", { bucket, key: "a/random.bin" });
await unary(objects, "deleteBucket", { bucket });
for (const client of [health, reflection, objects]) client.close();

function unary(client: Untyped, method: string, request: object): Promise<Untyped> {
  return new Promise((resolve, reject) => {
    client[method](request, key, (error: Error | null, answer: Untyped) => (error ? reject(error) : resolve(answer)));
  });
}

/** PutObject is a client stream: one header, then the bytes in frames; the answer comes after the last. */
function put(header: object, bytes: Buffer): Promise<Untyped> {
  return new Promise((resolve, reject) => {
    const call = objects.putObject(key, (error: Error | null, answer: Untyped) =>
      error ? reject(error) : resolve(answer),
    );
    call.write({ header });
    for (let at = 0; at < bytes.byteLength; at += FRAME_BYTES)
      call.write({ frame: bytes.subarray(at, at + FRAME_BYTES) });
    call.end();
  });
}

/** GetObject is a server stream: first what the object is, then its bytes in frames. */
async function get(request: object): Promise<{ readonly info: Untyped; readonly bytes: Buffer }> {
  let info: Untyped;
  const frames: Buffer[] = [];
  for await (const message of objects.getObject(request, key)) {
    if (message.opened) info = message.opened.info;
    else frames.push(message.frame);
  }
  return { info, bytes: Buffer.concat(frames) };
}

/** Reflection is a stream both ways: one question, one answer. */
async function listServices(): Promise<string[]> {
  const call = reflection.serverReflectionInfo(key);
  call.write({ listServices: "" });
  call.end();
  const names: string[] = [];
  for await (const { listServicesResponse } of call) {
    names.push(...listServicesResponse.service.map(({ name }: Untyped) => name));
  }
  return names;
}
