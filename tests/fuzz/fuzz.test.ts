import { afterAll, beforeAll, expect, it } from "vitest";
import { type FuzzedServers, startFuzzedServers } from "./fuzzed-servers.ts";
import { describeFinding, runFuzz } from "./run-fuzz.ts";

// A few seconds of what the nightly run does for long: `npm run fuzz`.

const SEED = 8;
let servers: FuzzedServers;

beforeAll(async () => {
  servers = await startFuzzedServers();
});

afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

it("a server outlives requests that nobody should send, and blames their senders", { timeout: 300_000 }, async () => {
  const findings = await runFuzz({ seed: SEED, requests: 600, batch: 300, concurrency: 8, servers });
  expect(findings.map((finding) => describeFinding(finding, SEED))).toEqual([]);
});
