import { randomBytes } from "node:crypto";
import { type AshlarError, createClient, gateway } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport, type TransportName } from "../support/transports.ts";
import { logLines, type SmallCluster, startSmallCluster } from "./small-cluster.ts";

const TRANSPORTS: readonly TransportName[] = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"];
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };

let cluster: SmallCluster;

beforeAll(async () => {
  cluster = await startSmallCluster({ traced: false });
}, 120_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

function put(path: string, body: Uint8Array | undefined, headers: Readonly<Record<string, string>>): Promise<Response> {
  const authorization = `Bearer ${cluster.apiKey}`;
  return fetch(`${cluster.gateway.url}${path}`, {
    method: "PUT",
    headers: { authorization, ...headers },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
}

describe("without OpenTelemetry", () => {
  it("a caller's trace is named in the log lines of the gateway and of the nodes, under one request id", async () => {
    const traceId = randomBytes(16).toString("hex");
    const traceparent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
    await put("/objects/plain", undefined, {});
    const answer = await put("/objects/plain/key", randomBytes(100_000), { traceparent });
    expect(answer.ok).toBe(true);
    const requestId = answer.headers.get("ashlar-request-id");
    const linesOf = (): readonly object[] => logLines(cluster.gateway).filter((one) => one.requestId === requestId);
    await expect.poll(linesOf).toContainEqual(expect.objectContaining({ msg: "request", traceId, route: "objects" }));
    await expect
      .poll(() => cluster.nodes.flatMap(logLines).filter((one) => one.requestId === requestId).length)
      .toBeGreaterThanOrEqual(2);
    for (const one of cluster.nodes.flatMap(logLines)) {
      if (one.requestId === requestId) expect(one.traceId).toBe(traceId);
    }
  });

  it("a malformed traceparent is ignored", async () => {
    const answer = await put("/objects/plain/other", randomBytes(10), { traceparent: "00-xyz-1-01" });
    expect(answer.ok).toBe(true);
    const requestId = answer.headers.get("ashlar-request-id");
    const linesOf = (): readonly object[] => logLines(cluster.gateway).filter((one) => one.requestId === requestId);
    await expect.poll(linesOf).toHaveLength(1);
    expect(linesOf()[0]).not.toHaveProperty("traceId");
  });
});

it.each(TRANSPORTS)(
  "an error over %s names the request, and the server's log has it under that id",
  async (transport) => {
    const { url } = cluster.gateway;
    await using client = createClient(
      gateway({ url, apiKey: cluster.apiKey, transport: openTransport(transport, NOBODY) }),
    );
    const error: unknown = await client
      .putObject({ bucket: "no-such-bucket", key: "k", body: randomBytes(100_000) })
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "BUCKET_NOT_FOUND" });
    const { requestId } = (error as AshlarError).details;
    expect(requestId).toMatch(/^[0-9a-f]{24}$/);
    const lines = logLines(cluster.gateway).filter((line) => line.requestId === requestId);
    expect(lines).toContainEqual(expect.objectContaining({ code: "BUCKET_NOT_FOUND" }));
  },
);
