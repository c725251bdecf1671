import { resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { expect, test } from "vitest";
import { withAdvice } from "./cluster-advice.ts";

const OPTIONS = { program: "npm run -s ashlar --", path: ` --path ${resolve("x")}` };

test("the message about a taken port names the flag that changes it", () => {
  const details = { problem: "PORT_TAKEN", options: "gatewayPort" };
  const error = withAdvice(new AshlarError("INVALID_ARGUMENT", "port 1 of gateway is taken", { details }), OPTIONS);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", details: { setting: "--gateway-port" } });
  expect(error).toMatchObject({ message: expect.stringMatching(/^port 1 of gateway is taken; .*--gateway-port 0/) });
  const two = { problem: "PORT_WANTED_TWICE", options: "postgresPort,gatewayPort" };
  expect(withAdvice(new AshlarError("INVALID_ARGUMENT", "wanted twice", { details: two }), OPTIONS)).toMatchObject({
    message: "wanted twice; set --postgres-port or --gateway-port to another one",
  });
});

test("the message about a cluster that already runs names the commands that show and stop it", () => {
  const error = new AshlarError("PRECONDITION_FAILED", "it runs", { details: { problem: "RUNS_ALREADY" } });
  const { program, path } = OPTIONS;
  const advised = withAdvice(error, OPTIONS);
  expect(advised).toMatchObject({ code: "PRECONDITION_FAILED", details: {}, cause: error });
  for (const command of ["status", "down"])
    expect(advised).toMatchObject({ message: expect.stringContaining(`${program} cluster ${command}${path}`) });
});

test("every other error is returned unchanged", () => {
  for (const error of [new AshlarError("INTERNAL", "x", { details: { problem: "OTHER" } }), new Error("x")])
    expect(withAdvice(error, OPTIONS)).toBe(error);
});
