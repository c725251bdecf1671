/**
 * An app outside the workspace, run by the packed packages' tests under each line of Node: the same work embedded, through a gateway over three
 * transports, and with the command line. Arguments: the command line's main file, a folder. Prints one JSON value; fails if any step fails.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { embedded } from "@ashlar/adapters/embedded";
import { gateway } from "@ashlar/adapters/node";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { createClient, type Seat } from "@ashlar/sdk";

const [main = "", folder = ""] = process.argv.slice(2);
const bytes = new Uint8Array(5_000_000).map((_, index) => index % 251);

async function putAndGet(name: string, seat: Seat): Promise<string> {
  // Not `await using`: Node 22 does not know that yet.
  const client = createClient(seat);
  try {
    await client.createBucket({ bucket: name });
    const put = await client.putObject({ bucket: name, key: "a/b", body: bytes });
    const got = await (await client.getObject({ bucket: name, key: "a/b" })).bytes();
    if (got.byteLength !== bytes.byteLength || got.some((byte, index) => byte !== bytes[index])) throw new Error(name);
    return put.sha256 ?? "none";
  } finally {
    await client.close();
  }
}

async function startServer(): Promise<{ process: ChildProcess; url: string; apiKey: string }> {
  const args = [main, "serve", "--path", join(folder, "served"), "--port", "0", "--json"];
  const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env: { LOG_LEVEL: "warn" } });
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  return { process: server, ...(JSON.parse(String(line)) as { url: string; apiKey: string }) };
}

const server = await startServer();
const { url, apiKey } = server;
try {
  const digests = [
    await putAndGet("embedded", embedded({ path: join(folder, "own") })),
    await putAndGet("undici", gateway({ url, apiKey })),
    await putAndGet("grpc", gateway({ url, apiKey, transport: grpcTransport() })),
    await putAndGet("grpc-js", gateway({ url, apiKey, transport: grpcJsTransport() })),
  ];
  const env = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
  const { stdout } = await promisify(execFile)(process.execPath, [main, "ls", "--json"], { env });
  const buckets = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { bucket: string }).bucket);
  server.process.kill("SIGTERM");
  const [exitCode] = await once(server.process, "exit");
  const digestCount = new Set(digests).size;
  process.stdout.write(JSON.stringify({ node: process.version, digestCount, buckets, exitCode }));
} finally {
  server.process.kill("SIGKILL");
}
