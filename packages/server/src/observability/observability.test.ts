import { AshlarError } from "@ashlar/sdk/errors";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { createMetrics, createPinoLogger, noMetrics } from "./index.ts";

describe("metrics", () => {
  it("are kept once per name, in a registry of one's own if wanted", async () => {
    const registry = new Registry();
    const metrics = createMetrics({ registry, defaultLabels: { node: "node-1" } });
    const spec = { name: "ashlar_test_total", help: "Tests", labelNames: ["kind"] };
    metrics.counter(spec).add(2, { kind: "a" });
    metrics.counter(spec).add(3, { kind: "a" });
    const gauge = metrics.gauge({ name: "ashlar_test_level", help: "Level" });
    gauge.set(7);
    gauge.add(-2);
    metrics.histogram({ name: "ashlar_test_seconds", help: "Time", buckets: [0.1, 1] }).observe(0.5);
    const { text } = await metrics.render();
    expect(text).toContain('ashlar_test_total{kind="a",node="node-1"} 5');
    expect(text).toContain('ashlar_test_level{node="node-1"} 5');
    expect(text).toContain('ashlar_test_seconds_bucket{le="0.1",node="node-1"} 0');
    expect(text).toContain('ashlar_test_seconds_bucket{le="1",node="node-1"} 1');
    expect(await registry.metrics()).toBe(text);
  });

  it("of the process are there when asked for", async () => {
    expect((await createMetrics({ processMetrics: true }).render()).text).toContain("process_resident_memory_bytes");
    expect((await createMetrics().render()).text).not.toContain("process_");
    noMetrics.counter({ name: "x", help: "x" }).add(1);
    expect((await noMetrics.render()).text).toBe("");
  });
});

describe("the pino logger", () => {
  it("writes one JSON object a line, with level, fields, errors with their causes, and no secrets", () => {
    const lines: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
    const logger = createPinoLogger({ level: "info", fields: { nodeId: "node-1" }, destination });
    logger.debug({}, "not shown");
    const error = new Error("outer", { cause: new Error("inner") });
    logger.child({ part: "http" }).warn({ error, authorization: "Bearer secret" }, "something happened");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ nodeId: "node-1", part: "http", msg: "something happened" });
    expect(lines[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT/);
    const text = JSON.stringify(lines[0]);
    expect(text).toContain("outer");
    expect(text).toContain("inner");
    expect(text).not.toContain('secret"');
    expect(text).not.toContain("Bearer");
  });

  it("cuts texts short wherever they are, and keeps where an error came from", () => {
    const max = HTTP_LIMITS.LOG_TEXT_MAX.value;
    const lines: string[] = [];
    const logger = createPinoLogger({ destination: { write: (line) => void lines.push(line) } });
    const long = "\u009b".repeat(60_000);
    const cause = new AshlarError("INVALID_ARGUMENT", long, { details: { key: long } });
    const error = new Error(long, { cause });
    logger.child({ long }).warn({ long, nested: { list: [long] }, error, err: error }, long);
    expect(lines).toHaveLength(1);
    const line = JSON.parse(lines[0] ?? "");
    for (const text of [line.long, line.msg, line.nested.list[0], line.error.cause.details.key, line.err.message])
      expect(text.length).toBe(max + 1);
    for (const { stack } of [line.error, line.error.cause, line.err]) {
      expect(stack.length).toBeLessThanOrEqual(max + 1);
      expect(stack).toContain("observability.test.ts");
    }
    expect(line.error.cause.code).toBe("INVALID_ARGUMENT");
  });
});
