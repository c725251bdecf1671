import { expect, test } from "vitest";
import { cli, cliJson } from "../support/cli.ts";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { testBytes } from "../support/test-bytes.ts";
import { LocalCluster } from "./local-cluster.ts";

test("a database that runs is used instead of one of the cluster's own, and must be named at each start", {
  timeout: 120_000,
}, async () => {
  const schema = await createPostgresSchema();
  const cluster = await LocalCluster.create();
  try {
    const up = await cluster.up(["--nodes", "2", "--gateway-port", "0", "--detach"], { DATABASE_URL: schema.url })
      .ended;
    expect(up.exitCode, up.stderr).toBe(0);
    expect(up.stderr).toContain(`stop it with ashlar cluster down --path ${cluster.path}`);
    expect(up.stdout).toContain("cluster kill node-2");
    const status = await cluster.status();
    expect(status.processes.map(({ name }) => name)).toEqual(["node-1", "node-2", "gateway"]);
    const [env, input] = [cluster.env(status), testBytes(100_000, 3)];
    const put = await cli(["put", "-", "box/x", "--create-bucket"], { env, input });
    expect(put.exitCode, put.stderr).toBe(0);
    const nodes = [{ nodeId: "node-1" }, { nodeId: "node-2" }];
    expect(await cliJson(["ring"], { env: { DATABASE_URL: schema.url } })).toMatchObject([{ nodes }]);
    expect((await cluster.run("down")).exitCode).toBe(0);
    const without = await cluster.up().ended;
    expect(without.exitCode).toBe(2);
    expect(without.stderr).toContain("DATABASE_URL");
    const away = await cluster.up([], { DATABASE_URL: "postgres://nobody@127.0.0.1:1/nothing" }).ended;
    expect(away.exitCode, away.stderr).toBe(5);
  } finally {
    await cluster.remove();
    await schema.drop();
  }
});
