import { parseArgs } from "node:util";
import { startFuzzedServers } from "./fuzzed-servers.ts";
import { describeFinding, runFuzz } from "./run-fuzz.ts";

// `npm run fuzz -- [--seed N] [--from N] [--requests N] [--concurrency N]`: a `serve` and a `node` under requests that nobody should send.

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(Math.floor(Date.now() / 1000) % 1_000_000) },
    from: { type: "string", default: "0" },
    requests: { type: "string", default: "100000" },
    concurrency: { type: "string", default: "24" },
  },
});
const seed = Number(values.seed);
process.stdout.write(`seed ${seed}\n`);
await using servers = await startFuzzedServers();
const startedMs = performance.now();
const findings = await runFuzz({
  seed,
  from: Number(values.from),
  requests: Number(values.requests),
  batch: 2000,
  concurrency: Number(values.concurrency),
  servers,
  onBatch: (done, { serve, node }) => {
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    process.stdout.write(`${done} requests in ${seconds} s; serve ${serve} MiB, node ${node} MiB\n`);
  },
  onFinding: (finding) => process.stdout.write(`${describeFinding(finding, seed)}\n`),
});
process.stdout.write(`${findings.length} findings\n`);
process.exitCode = findings.length === 0 ? 0 : 1;
