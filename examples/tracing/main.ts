import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gateway } from "@ashlar/adapters/node";
import { openTelemetryTracer } from "@ashlar/adapters/tracing/opentelemetry";
import { createClient } from "@ashlar/sdk";
import { traced } from "@ashlar/sdk/tracing";
import { startCluster } from "./cluster.ts";
import { readSpans, type SpanLine, spanTree } from "./span-tree.ts";

const folder = await mkdtemp(join(tmpdir(), "ashlar-tracing-"));
const traceFile = join(folder, "spans.jsonl");
process.env.TRACE_FILE = traceFile;
await import("./otel.ts");

const cluster = await startCluster(folder, traceFile);
try {
  const { url, apiKey } = cluster;
  // The one line that makes spans of the app's calls.
  const client = createClient(traced(gateway({ url, apiKey }), openTelemetryTracer()));
  await client.createBucket({ bucket: "photos" });
  // The first put also opens connections; the second shows what a put costs.
  await client.putObject({ bucket: "photos", key: "dog.jpg", body: randomBytes(100_000) });
  await client.putObject({ bucket: "photos", key: "cat.jpg", body: randomBytes(100_000) });
  const cat = await client.getObject({ bucket: "photos", key: "cat.jpg" });
  await cat.bytes();
  await client.close();

  for (const name of ["ashlar.putObject", "ashlar.getObject"]) {
    const spans = await traceOf(name);
    console.log(`one trace of ${new Set(spans.map(({ service }) => service)).size} processes:`);
    console.log(`${spanTree(spans, spans.find((span) => span.name === name) as SpanLine)}\n`);
  }
} finally {
  await cluster.stop();
  await rm(folder, { recursive: true });
}

/** All spans of the last trace that begins with this one. It waits until no more come: a third replica may be written after the put is acknowledged. */
async function traceOf(name: string): Promise<readonly SpanLine[]> {
  for (let before = -1; ; ) {
    const spans = readSpans(traceFile);
    const root = spans.findLast((span) => span.name === name);
    const trace = spans.filter(({ traceId }) => traceId === root?.traceId);
    if (root !== undefined && trace.length === before) return trace;
    before = trace.length;
    await setTimeout(200);
  }
}
