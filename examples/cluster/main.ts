import { createHash, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, MIB, type ObjectClient } from "@ashlar/sdk";
import { type Cluster, startCluster } from "./cluster.ts";

const USAGE = "usage: npm run -s example -- cluster [--mib <size of the file, 1 to 2000>] [--path <folder>]";

const { path, mib } = readArguments();
const file = randomBytes(mib * MIB);
const digest = createHash("sha256").update(file).digest("hex");
console.log(`a file of ${mib} MiB, sha256 ${digest}`);

await using cluster = await startCluster(path).catch((error) => end(error.stderr?.trim() || error.message, 1));
console.log(`six storage nodes, PostgreSQL and a gateway at ${cluster.url}\n`);

const seat = { url: cluster.url, apiKey: cluster.apiKey };
await show("through the gateway", createClient(gateway(seat)), { node: "node-3", chunkBytes: 4 * MIB });
// Other chunk boundaries: with the same ones the nodes would have every chunk already, and nothing would be sent.
await show("straight to the nodes", createClient(direct(seat)), { node: "node-5", chunkBytes: 3 * MIB });

/** Puts the file, kills a node half way, and reads the file back while that node is still away. */
async function show(how: string, client: ObjectClient, { node, chunkBytes }: { node: string; chunkBytes: number }) {
  console.log(how);
  const object = { bucket: "example", key: how };
  await client.createBucket({ bucket: object.bucket, ifMissing: true });
  const chunker = fixed(chunkBytes);
  let killing: Promise<void> | undefined;
  const put = await timed("  put", () =>
    client.putObject({
      ...object,
      body: file,
      chunker,
      onProgress({ transferredBytes }) {
        if (transferredBytes >= file.byteLength / 2) killing ??= kill(cluster, node, transferredBytes);
      },
    }),
  );
  await killing;
  console.log(`       acknowledged by ${put.replicas} of 3 replicas at least, ${put.durability}`);
  const hash = createHash("sha256");
  await timed("  get", async () => {
    for await (const slice of (await client.getObject(object)).stream()) hash.update(slice);
  });
  const isSame = hash.digest("hex") === digest;
  console.log(`       ${isSame ? "the same sha256" : "ANOTHER sha256"}, while ${node} is still away`);
  if (!isSame) process.exitCode = 1;
  await cluster.start(node);
  await client.close();
}

async function kill(running: Cluster, node: string, bytes: number): Promise<void> {
  console.log(`  kill -9 ${node} at ${Math.round((100 * bytes) / file.byteLength)} %`);
  await running.kill(node);
}

async function timed<Result>(label: string, work: () => Promise<Result>): Promise<Result> {
  const startedAtMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(`${label}  ${(file.byteLength / seconds / 1e6).toFixed(0)} MB/s`);
  return result;
}

function readArguments(): { path: string; mib: number } {
  const options = {
    path: { type: "string", default: "./.ashlar-example" },
    mib: { type: "string", default: "200" },
  } as const;
  try {
    const { path, mib } = parseArgs({ options }).values;
    if (!/^[1-9]\d{0,3}$/.test(mib) || Number(mib) > 2000)
      throw new Error(`--mib ${mib} is no whole number from 1 to 2000`);
    return { path, mib: Number(mib) };
  } catch (error) {
    end(`${(error as Error).message}\n${USAGE}`, 2);
  }
}

/** Ends with the message in one line, without a stack trace. */
function end(message: string, exitCode: number): never {
  console.error(message);
  process.exit(exitCode);
}
