import { AshlarError } from "@ashlar/sdk/errors";
import type { Tracer } from "@ashlar/sdk/ports";
import { systemClock } from "@ashlar/sdk/ports";
import { describe, expect, it } from "vitest";
import { createPinoLogger } from "./pino-logger.ts";
import { createMetrics } from "./prom-metrics.ts";
import { inRequest } from "./request-scope.ts";
import { createServerTracer } from "./server-tracer.ts";

const TRACE = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

describe("the tracer of a server", () => {
  it("makes metrics of the spans of stores and transports, with and without an inner tracer", async () => {
    const metrics = createMetrics();
    const tracer = createServerTracer({ metrics, clock: systemClock });
    tracer.start("sql.commitObject").end();
    tracer.start("sql.commitObject").end(new AshlarError("METADATA_UNAVAILABLE", "away"));
    tracer.start("file.fsync").end();
    const call = tracer.start("chunks.putChunk", { attributes: { "ashlar.node.id": "node-2" } });
    call.end(new AshlarError("NODE_UNAVAILABLE", "away"));
    call.end();
    tracer.start("store.putChunk").end();
    tracer.start("constructor.name").end();
    const { text } = await metrics.render();
    expect(text).toContain('ashlar_sql_duration_seconds_count{operation="commitObject"} 2');
    expect(text).toContain('ashlar_sql_failures_total{operation="commitObject",code="METADATA_UNAVAILABLE"} 1');
    expect(text).toContain('ashlar_file_duration_seconds_count{step="fsync"} 1');
    expect(text).toContain('ashlar_replica_duration_seconds_count{method="putChunk"} 1');
    expect(text).toContain('ashlar_replica_failures_total{method="putChunk",node="node-2",code="NODE_UNAVAILABLE"} 1');
  });

  it("hands spans on, measured or not, and makes them active", () => {
    const seen: string[] = [];
    const span = { ...TRACE, set: () => void seen.push("set"), end: () => void seen.push("end") };
    const inner: Tracer = {
      start: (name) => {
        seen.push(name);
        return span;
      },
      within(active, work) {
        expect(active).toBe(span);
        return work();
      },
      headers: () => ({ traceparent: "inner" }),
    };
    const tracer = createServerTracer({ inner, metrics: createMetrics(), clock: systemClock });
    for (const name of ["sql.ping", "store.stats"]) {
      const started = tracer.start(name);
      expect(started).toMatchObject(TRACE);
      expect(tracer.within(started, () => 7)).toBe(7);
      started.set({});
      started.end();
    }
    expect(seen).toEqual(["sql.ping", "set", "end", "store.stats", "set", "end"]);
    const scope = { requestId: "r1", traceParent: "outer" };
    expect(inRequest(scope, () => tracer.headers())).toEqual({ "ashlar-request-id": "r1", traceparent: "inner" });
  });

  it("passes on what a caller sent, in a request and nowhere else", () => {
    const tracer = createServerTracer({ metrics: createMetrics(), clock: systemClock });
    expect(tracer.headers()).toEqual({});
    expect(inRequest({ requestId: "r1" }, () => tracer.headers())).toEqual({ "ashlar-request-id": "r1" });
    const scope = { requestId: "r1", ...TRACE, traceParent: "00-a-b-01" };
    expect(inRequest(scope, () => tracer.headers())).toEqual({
      "ashlar-request-id": "r1",
      traceparent: "00-a-b-01",
    });
  });
});

it("log lines of a request's work name it, also after it waited; a field of the line's own wins", async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = createPinoLogger({ destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  logger.info({}, "before");
  await inRequest({ requestId: "r1", ...TRACE }, async () => {
    await systemClock.sleep(1);
    logger.child({ part: "x" }).warn({ nodeId: "n1" }, "within");
    logger.info({ requestId: "own" }, "own");
  });
  await inRequest({ requestId: "r2" }, async () => logger.info({}, "untraced"));
  expect(lines[0]).not.toHaveProperty("requestId");
  expect(lines[1]).toMatchObject({ requestId: "r1", ...TRACE, part: "x", nodeId: "n1" });
  expect(lines[2]).toMatchObject({ requestId: "own" });
  expect(lines[3]).toMatchObject({ requestId: "r2" });
  expect(lines[3]).not.toHaveProperty("traceId");
});
