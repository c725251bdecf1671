import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cli } from "../support/cli.ts";
import { LocalCluster } from "./local-cluster.ts";

let cluster: LocalCluster;
/** A port that is taken, so that a start is refused. */
let taken: string;
let other: Server;

beforeEach(async () => {
  cluster = await LocalCluster.create();
  other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  taken = String((other.address() as { readonly port: number }).port);
});
afterEach(async () => {
  await new Promise((resolve) => other.close(resolve));
  await cluster.folder.remove();
});

describe("the folder of a cluster", { timeout: 60_000 }, () => {
  test.each([[[]], [["--detach"]]])(
    "is not one with other things in it, which stay as they are (%j)",
    async (flags) => {
      mkdirSync(cluster.path);
      writeFileSync(join(cluster.path, "thesis.txt"), "years of work");
      const { mode } = statSync(cluster.path);
      const { exitCode, stderr } = await cluster.up(["--nodes", "1", ...flags]).ended;
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^ashlar: .* holds no cluster but other files \(thesis\.txt\); give a --path/);
      expect([readdirSync(cluster.path), statSync(cluster.path).mode]).toEqual([["thesis.txt"], mode]);
      const down = await cluster.run("down", "--delete", "--yes");
      expect(down.exitCode).toBe(2);
      expect(readFileSync(join(cluster.path, "thesis.txt"), "utf8")).toBe("years of work");
    },
  );

  test("is not that of a server with one store", async () => {
    const made = await cli(["mb", "box", "--path", cluster.path]);
    expect(made.exitCode, made.stderr).toBe(0);
    const before = readdirSync(cluster.path);
    expect((await cluster.up(["--nodes", "1"]).ended).exitCode).toBe(2);
    expect(readdirSync(cluster.path)).toEqual(before);
  });

  test.each([[[]], [["--detach"]]])("is as it was before, if its first start is refused (%j)", async (flags) => {
    // Its own error, once, however the program is called.
    const env = { ASHLAR_PROGRAM: "npm run -s ashlar --" };
    const absent = await cluster.up(["--gateway-port", taken, ...flags], env).ended;
    expect(absent.exitCode).toBe(2);
    expect(absent.stderr).toMatch(/^ashlar: port \d+ of gateway is taken .* \(INVALID_ARGUMENT\)\n$/);
    expect(readdirSync(cluster.folder.path)).not.toContain("cluster");
    mkdirSync(cluster.path, { mode: 0o755 });
    const { mode } = statSync(cluster.path);
    expect((await cluster.up(["--gateway-port", taken, ...flags]).ended).exitCode).toBe(2);
    expect([readdirSync(cluster.path), statSync(cluster.path).mode]).toEqual([[], mode]);
  });
});
