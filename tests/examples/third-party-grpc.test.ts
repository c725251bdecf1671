import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { masked, ROOT, readExampleReadme, runExample } from "./run-example.ts";

const { commands, outputs } = readExampleReadme("third-party-grpc");
// .ci/run makes it from the example's own requirements; without it, each run of the test would have to install them.
const PYTHON = `${ROOT}node_modules/.cache/venv/bin/python`;
const hasPython = existsSync(PYTHON);
if (!hasPython && process.env.CI === "true") throw new Error("CI needs Python with grpcio: .ci/run sets it up");
if (!hasPython) process.stdout.write("skipped: no Python with grpcio here\n");

test("@grpc/grpc-js puts and gets an object with the .proto files alone", { timeout: 120_000 }, async () => {
  const { exitCode, stdout, output } = await runExample(commands[0]!).ended;
  expect(exitCode, output).toBe(0);
  expect(masked(stdout)).toBe(masked(outputs[0]!));
});

test.skipIf(!hasPython)("so does Python's grpcio", { timeout: 120_000 }, async () => {
  const { exitCode, stdout, output } = await runExample(commands[1]!, { PYTHON }).ended;
  expect(exitCode, output).toBe(0);
  expect(masked(stdout)).toBe(masked(outputs[1]!));
});

test("an unknown client name is answered with the clients that there are", { timeout: 120_000 }, async () => {
  const { exitCode, output } = await runExample(`${commands[0]} cobol`).ended;
  expect(exitCode).toBe(2);
  expect(output).toContain("usage: start.sh [node|python]");
});

test.each([
  ["node", commands[0]!, true],
  ["Python", commands[1]!, hasPython],
])(
  "%s says in two lines that the server is away, or that a key is missing",
  { timeout: 120_000 },
  async (_, command, runs) => {
    if (!runs) return;
    const dead = { ASHLAR_GATEWAY: "http://127.0.0.1:9", PYTHON };
    const away = await runExample(command, { ...dead, ASHLAR_API_KEY: "none" }).ended;
    expect(away.exitCode, away.output).toBe(1);
    expect(away.output).toMatch(/^UNAVAILABLE .*\nASHLAR_GATEWAY and ASHLAR_API_KEY name the server.*\n$/);
    const keyless = await runExample(command, dead).ended;
    expect([keyless.exitCode, keyless.output]).toEqual([2, expect.stringMatching(/^ASHLAR_GATEWAY is set but.*\n$/)]);
  },
);
