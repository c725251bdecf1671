import { randomBytes } from "node:crypto";
import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { openTelemetryTracer } from "@ashlar/adapters/tracing/opentelemetry";
import { createClient, MIB, type ObjectClient } from "@ashlar/sdk";
import { traced } from "@ashlar/sdk/tracing";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

const memory = new InMemorySpanExporter();
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
const body = randomBytes(9 * MIB);
let folder: TempFolder;
let client: ObjectClient;

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());

beforeEach(async () => {
  folder = await createTempFolder();
  client = createClient(traced(embedded({ path: folder.path }), openTelemetryTracer({ tracerProvider })));
  await client.createBucket({ bucket: "photos" });
  await client.putObject({ bucket: "photos", key: "k", body });
});

afterEach(async () => {
  await client.close();
  await folder.remove();
  memory.reset();
});

function ended(name: string): readonly ReadableSpan[] {
  return memory.getFinishedSpans().filter((span) => span.name === name);
}

/** Names of the spans directly below one. */
function below(parent: ReadableSpan | undefined): readonly string[] {
  const { spanId } = parent?.spanContext() ?? {};
  return memory.getFinishedSpans().flatMap((span) => (span.parentSpanContext?.spanId === spanId ? [span.name] : []));
}

it("a put is a span, with those of its chunks, their files and the SQL below", () => {
  const [put] = ended("ashlar.putObject");
  expect(put?.attributes).toMatchObject({
    "ashlar.seat": "embedded",
    "ashlar.bucket": "photos",
    "ashlar.size_bytes": body.byteLength,
    "ashlar.durability": "strict",
  });
  expect(put?.attributes).not.toHaveProperty("ashlar.key");
  const chunkCount = Number(put?.attributes["ashlar.chunk.count"]);
  const direct = below(put);
  expect(direct.filter((name) => name === "store.putChunk")).toHaveLength(chunkCount);
  expect(direct).toContain("sql.commitObject");
  const [chunk] = ended("store.putChunk");
  expect(below(chunk)).toEqual(["file.write", "file.fsync", "file.rename", "file.fsync_folder"]);
  expect(ended("sql.commitObject")[0]?.attributes).toMatchObject({
    "db.system.name": "sqlite",
    "db.operation.name": "commitObject",
  });
});

it("the span of a read lasts until its last byte is taken", async () => {
  const got = await client.getObject({ bucket: "photos", key: "k" });
  expect(ended("ashlar.getObject")).toHaveLength(0);
  expect((await got.bytes()).byteLength).toBe(body.byteLength);
  const [get] = ended("ashlar.getObject");
  expect(get?.attributes).toMatchObject({ "ashlar.size_bytes": body.byteLength });
  expect(below(get)).toEqual(expect.arrayContaining(["sql.getObject", "store.getChunk"]));
  expect(get?.status.code).not.toBe(2);
});

it("the span of a read ends when the reader gives up", async () => {
  const loop = await client.getObject({ bucket: "photos", key: "k" });
  for await (const slice of loop) {
    expect(slice.byteLength).toBeGreaterThan(0);
    break;
  }
  expect(ended("ashlar.getObject")[0]?.attributes).toMatchObject({ "ashlar.given_up": true });
  const canceled = (await client.getObject({ bucket: "photos", key: "k" })).stream().getReader();
  await canceled.read();
  await canceled.cancel();
  expect(ended("ashlar.getObject")).toHaveLength(2);
  const abort = new AbortController();
  const aborted = await client.getObject({ bucket: "photos", key: "k", signal: abort.signal });
  const bytes = aborted.bytes();
  abort.abort();
  await expect(bytes).rejects.toMatchObject({ code: "CANCELED" });
  const last = ended("ashlar.getObject").at(-1);
  expect(last).toMatchObject({ attributes: { "error.type": "CANCELED" }, status: { code: 2 } });
});

it("a read that fails names its code", async () => {
  const chunks = join(folder.path, "chunks");
  for (const name of await readdir(chunks, { recursive: true })) {
    if (/[0-9a-f]{64}$/.test(name)) await truncate(join(chunks, name), 100);
  }
  const got = await client.getObject({ bucket: "photos", key: "k" });
  await expect(got.bytes()).rejects.toThrow();
  const [get] = ended("ashlar.getObject");
  expect(get?.status.code).toBe(2);
  expect(get?.attributes["error.type"]).toMatch(/^CHUNK_/);
});

it("records keys if it is asked to", async () => {
  const seat = traced(embedded({ path: folder.path }), openTelemetryTracer({ tracerProvider }), { keys: true });
  await using open = createClient(seat);
  await open.headObject({ bucket: "photos", key: "k" });
  expect(ended("ashlar.headObject")[0]?.attributes).toMatchObject({ "ashlar.key": "k" });
});
