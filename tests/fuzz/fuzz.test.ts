import { afterAll, beforeAll, expect, it } from "vitest";
import { type FuzzedServers, startFuzzedServers } from "./fuzzed-servers.ts";
import { describeFinding, runFuzz } from "./run-fuzz.ts";

// A few seconds of what the nightly run does for a long time: `npm run fuzz`.

const SEED = 8;
/** Limits for hangs, not the usual times: two servers start one after the other, on a machine that tests keep busy. */
const START_MAX_MS = 240_000;
const RUN_MAX_MS = 600_000;
let servers: FuzzedServers;

beforeAll(async () => {
  servers = await startFuzzedServers();
}, START_MAX_MS);

afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
}, START_MAX_MS);

it("a server survives requests that nobody should send, and answers them with errors of the caller", {
  timeout: RUN_MAX_MS,
}, async () => {
  const findings = await runFuzz({ seed: SEED, requests: 600, batch: 300, concurrency: 8, servers });
  expect(findings.map((finding) => describeFinding(finding, SEED))).toEqual([]);
});
