import { resolve } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { expect, test } from "vitest";
import { hintFor } from "./hints.ts";

test("mention DATABASE_URL only where it is set", async () => {
  const error = new AshlarError("METADATA_UNAVAILABLE", "away");
  const hint = (settings: Record<string, string>): Promise<string | undefined> =>
    hintFor(error, { program: "ashlar", context: { command: "ls", args: [], settings: settings as never, env: {} } });
  expect(await hint({ databaseUrl: "postgres://x" })).toContain("DATABASE_URL");
  expect(await hint({ path: "x" })).not.toContain("DATABASE_URL");
  expect(await hint({ gateway: "http://x" })).not.toContain("DATABASE_URL");
});

test("distinguish an access token from an API key", async () => {
  const hint = (
    code: "UNAUTHENTICATED" | "PERMISSION_DENIED",
    apiKey: string,
    details = {},
  ): Promise<string | undefined> =>
    hintFor(new AshlarError(code, "no", { details }), {
      program: "ashlar",
      context: { command: "ls", args: ["photos"], settings: { apiKey } as never, env: {} },
    });
  const token = `eyJ.${"x".repeat(43)}`;
  expect(await hint("UNAUTHENTICATED", token)).toContain("token create");
  expect(await hint("PERMISSION_DENIED", token, { bucket: "photos", prefix: "my notes/" })).toContain(
    "ashlar ls 'photos/my notes/'",
  );
  expect(await hint("PERMISSION_DENIED", token)).not.toContain("key create");
  for (const code of ["UNAUTHENTICATED", "PERMISSION_DENIED"] as const) {
    expect(await hint(code, "ashlar_0011223344556677_x")).toContain("key create");
  }
});

test("about a cluster name its folder, and the processes that its supervisor left", async () => {
  const hint = (details: Record<string, string>): Promise<string | undefined> => {
    const context = { command: "cluster status", args: [], settings: {} as never, env: {} };
    return hintFor(new AshlarError("NODE_UNAVAILABLE", "away", { details }), {
      program: "npm run -s ashlar --",
      context,
    });
  };
  expect(await hint({ clusterPath: "/data/my cluster", survivors: "0" })).toBe(
    "start it: npm run -s ashlar -- cluster up --path '/data/my cluster'",
  );
  expect(await hint({ clusterPath: "/data/x", survivors: "2" })).toMatch(
    /stop them: .* down --path \/data\/x\n.* up --path/,
  );
  expect(await hint({ clusterPath: resolve(".ashlar-cluster"), survivors: "0" })).toBe(
    "start it: npm run -s ashlar -- cluster up",
  );
  expect(await hint({})).toBeUndefined();
});

test("mention TLS if a server ended the connection without an answer", async () => {
  const hint = (url: string, code: string): Promise<string | undefined> =>
    hintFor(new AshlarError("NODE_UNAVAILABLE", "away", { cause: Object.assign(new Error("x"), { code }) }), {
      program: "ashlar",
      context: { command: "ls", args: [], settings: { gateway: url } as never, env: {} },
    });
  expect(await hint("http://h", "UND_ERR_SOCKET")).toContain("https://");
  expect(await hint("http://h", "ECONNREFUSED")).not.toContain("https://");
  expect(await hint("https://h", "ECONNRESET")).not.toContain("has TLS");
});

test("do not advise more time if a server was away", async () => {
  const hint = (cause?: AshlarError): Promise<string | undefined> =>
    hintFor(new AshlarError("DEADLINE_EXCEEDED", "not finished", { cause }), {
      program: "ashlar",
      context: { command: "put", args: [], settings: { gateway: "http://h" } as never, env: {} },
    });
  expect(await hint()).toContain("--timeout");
  expect(await hint(new AshlarError("METADATA_UNAVAILABLE", "away"))).toContain("database behind the gateway");
  expect(await hint(new AshlarError("NODE_UNAVAILABLE", "away"))).toContain("ashlar health http://h");
});
