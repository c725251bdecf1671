import { AshlarError } from "@ashlar/sdk/errors";
import { expect, test } from "vitest";
import { hintFor } from "./hints.ts";

test("speak of DATABASE_URL only to a server that has one", async () => {
  const error = new AshlarError("METADATA_UNAVAILABLE", "away");
  const hint = (settings: Record<string, string>): Promise<string | undefined> =>
    hintFor(error, { program: "ashlar", context: { command: "ls", args: [], settings: settings as never, env: {} } });
  expect(await hint({ databaseUrl: "postgres://x" })).toContain("DATABASE_URL");
  expect(await hint({ path: "x" })).not.toContain("DATABASE_URL");
  expect(await hint({ gateway: "http://x" })).not.toContain("DATABASE_URL");
});
