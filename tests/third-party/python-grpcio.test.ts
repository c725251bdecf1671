import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { decodeDigestHex } from "@ashlar/sdk/hash";
import { describe, expect, test } from "vitest";
import { createTempFolder } from "../support/temp-folder.ts";
import { PROTO_FOLDERS, startServers } from "./servers-under-test.ts";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("grpcio_client.py", import.meta.url));
const VENV_PYTHON = fileURLToPath(new URL("../../node_modules/.cache/venv/bin/python", import.meta.url));
const FILES = [
  "buf/validate/validate.proto",
  ...["error", "object", "chunk_service", "object_service", "cluster_service"].map((name) => `ashlar/v1/${name}.proto`),
];

/** A Python that has grpcio and grpcio-tools: the one that CI sets up, else the system's. */
function findPython(): string | undefined {
  return [VENV_PYTHON, "python3"].find(
    (python) =>
      (python === "python3" || existsSync(python)) &&
      spawnSync(python, ["-c", "import grpc, grpc_tools"], { stdio: "ignore" }).status === 0,
  );
}

const python = findPython();
if (python === undefined && process.env.CI === "true") {
  throw new Error("CI needs Python with grpcio and grpcio-tools: .ci/run sets them up");
}
if (python === undefined) process.stdout.write("skipped: no Python with grpcio and grpcio-tools here\n");

describe("Python's grpcio, with code made from the .proto files", () => {
  test.skipIf(python === undefined)("puts and gets a chunk and an object", { timeout: 120_000 }, async () => {
    await using folder = await createTempFolder();
    await using servers = await startServers();
    const generated = folder.at("generated");
    await mkdir(generated);
    const includes = PROTO_FOLDERS.map((path) => `-I${path}`);
    const outputs = [`--python_out=${generated}`, `--grpc_python_out=${generated}`];
    await run(python ?? "", ["-m", "grpc_tools.protoc", ...includes, ...outputs, ...FILES]);
    const grant = await servers.grants.issueWrite({ ticketId: servers.grants.newTicketId(), bucket: "box" });
    const client = spawn(python ?? "", [CLIENT, generated, servers.node, servers.gateway, grant, servers.apiKey]);
    let errors = "";
    client.stderr.on("data", (bytes: Buffer) => {
      errors += bytes.toString("utf8");
    });
    const closed = once(client, "close");
    const lines: string[] = [];
    for await (const line of createInterface({ input: client.stdout })) {
      lines.push(line);
      if (lines.length > 1) continue;
      client.stdin.end(`${await servers.grants.issueRead({ chunkId: decodeDigestHex(line) })}\n`);
    }
    const [exitCode] = await closed;
    expect(exitCode, errors).toBe(0);
    expect(JSON.parse(lines[1] ?? "")).toEqual({
      putBytes: 1_024_000,
      hasReceipt: true,
      sameChunk: true,
      mismatch: "DATA_LOSS",
      anonymous: "UNAUTHENTICATED",
      health: "STATUS_SERVING",
      sha256Right: true,
      rangeOffset: 1000,
      sameRange: true,
      missing: "NOT_FOUND",
    });
  });
});
