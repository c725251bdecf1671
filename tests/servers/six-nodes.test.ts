import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { createClient, direct, gateway, MIB, type ObjectClient } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freshDatabase } from "../support/fresh-database.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const NODE_COUNT = 6;
const MB = 1000 * 1000;
/** The kill half way is the same over every transport; only the default one carries the full size. */
const fileMegabytes = (transport: TransportName): number => (transport === "undici" ? 100 : 20);
const TRANSPORTS: readonly TransportName[] = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"];
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };

let folder: TempFolder;
let env: Record<string, string>;
let gatewayProcess: ServerProcess;
let apiKey: string;
const nodes: ServerProcess[] = [];

/** A node comes back on its old port: until its heartbeats are missed, no other address gets its id. */
function startNode(index: number): Promise<ServerProcess> {
  const before = nodes[index - 1];
  const port = before === undefined ? "0" : new URL(before.url).port;
  return startServerProcess(
    ["node", "--server-id", `node-${index}`, "--data-dir", join(folder.path, `node-${index}`), "--port", port],
    { ...env, ASHLAR_DURABILITY: "os" },
  );
}

/** The same bytes for the same salt, other bytes for another one. */
async function* body(salt: number, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const block = createHash("sha512").update(String(salt)).digest();
  const slice = Buffer.alloc(MIB, block);
  for (let sent = 0; sent < sizeBytes; sent += MIB) {
    slice.writeDoubleLE(sent + 1, 0);
    yield slice.subarray(0, Math.min(MIB, sizeBytes - sent));
  }
}

async function digestOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const slice of source) hash.update(slice);
  return hash.digest("hex");
}

function client(seat: "gateway" | "direct", transport: TransportName): ObjectClient {
  const options = {
    url: gatewayProcess.url,
    apiKey,
    transport: openTransport(transport, NOBODY),
    durability: "os",
  } as const;
  return createClient(seat === "gateway" ? gateway(options) : direct(options));
}

beforeAll(async () => {
  folder = await createTempFolder();
  env = { DATABASE_URL: await freshDatabase("six_nodes"), CLUSTER_KEY: randomBytes(32).toString("hex") };
  gatewayProcess = await startServerProcess(["gateway", "--port", "0"], env);
  apiKey = String(gatewayProcess.ready.apiKey);
  nodes.push(...(await Promise.all(Array.from({ length: NODE_COUNT }, (_, index) => startNode(index + 1)))));
  const setup = client("gateway", "undici");
  await setup.createBucket({ bucket: "files" });
  const { nodes: registered, layouts } = await setup.cluster();
  await setup.close();
  expect(registered.filter((node) => node.state === "up")).toHaveLength(NODE_COUNT);
  expect(layouts[0]?.nodes).toHaveLength(NODE_COUNT);
}, 120_000);

afterAll(async () => {
  await Promise.all([...nodes.map((node) => node.kill()), gatewayProcess?.kill()]);
  await folder?.remove();
}, 60_000);

describe("six node processes, PostgreSQL and a gateway", () => {
  let round = 0;
  for (const seat of ["gateway", "direct"] as const) {
    for (const transport of TRANSPORTS) {
      const sizeBytes = fileMegabytes(transport) * MB;
      it(`carries ${fileMegabytes(transport)} MB through the ${seat} seat over ${transport}, one node killed half way`, {
        timeout: 120_000,
      }, async () => {
        const salt = ++round;
        const victim = salt % NODE_COUNT;
        const expected = await digestOf(body(salt, sizeBytes));
        const app = client(seat, transport);
        try {
          let killing: Promise<void> | undefined;
          const put = await app.putObject({
            bucket: "files",
            key: `${seat}/${transport}`,
            body: body(salt, sizeBytes),
            onProgress: ({ transferredBytes }) => {
              if (transferredBytes > sizeBytes / 2) killing ??= nodes[victim]?.kill();
            },
          });
          expect(killing).toBeDefined();
          await killing;
          expect(put).toMatchObject({ sizeBytes, sha256: expected });
          expect(put.replicas).toBeGreaterThanOrEqual(2);
          // With the node still dead, every chunk has a replica left.
          const got = await app.getObject({ bucket: "files", key: `${seat}/${transport}` });
          expect(await digestOf(got)).toBe(expected);
        } finally {
          await app.close();
          nodes[victim] = await startNode(victim + 1);
        }
      });
    }
  }
});
