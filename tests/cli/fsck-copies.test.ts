import { join } from "node:path";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { sha256Sync } from "@ashlar/sdk/hash";
import type { MetadataStore } from "@ashlar/sdk/ports";
import pg from "pg";
import { expect, test } from "vitest";
import { cli, jsonLines } from "../support/cli.ts";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder } from "../support/temp-folder.ts";

interface Shown {
  readonly level: string;
  readonly what: string;
}

const NODES = ["n1", "n2", "n3"];
const MANY = 130;

/** Commits an object of two chunks; the nodes missed the second. */
async function commit(store: MetadataStore, key: string, missedNodeIds: readonly string[]): Promise<void> {
  const chunks = [0, 1].map((index) => ({
    chunkId: sha256Sync(new TextEncoder().encode(`${key} ${index}`)),
    sizeBytes: 100,
    layoutVersion: 3,
    missedNodeIds: index === 0 ? [] : missedNodeIds,
  }));
  const object = { bucket: "box", key, sizeBytes: 200, etag: "x", durability: "os", attributes: {} } as const;
  await store.commitObject({ ...object, content: { chunks } });
}

/** A cluster whose objects have lost copies. */
async function fill(store: MetadataStore): Promise<void> {
  await store.createBucket("box");
  for (const nodeId of NODES) await store.registerNode({ nodeId, url: `http://${nodeId}`, softwareVersion: "1" });
  await commit(store, "whole", []);
  await commit(store, "two-copies", ["n1"]);
  await commit(store, "lost", NODES);
  await commit(store, "away", ["n1", "n2"]);
  for (let index = 0; index < MANY; index++) await commit(store, `risky/${index}`, ["n1", "n3"]);
  await store.stopNode("n3");
}

async function expectFindings(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const { exitCode, stdout, stderr } = await cli(["fsck", ...args, "--json"], { env });
  const shown = jsonLines<Shown>(stdout);
  const about = (level: string): readonly string[] =>
    shown.filter((finding) => finding.level === level).map(({ what }) => what);
  expect(about("broken"), stderr).toEqual([
    expect.stringMatching(
      /^box\/away: unreachable: 1 of its chunks has no copy on a node that is up, the first [0-9a-f]{64}$/,
    ),
    expect.stringMatching(/^box\/lost: lost: 1 of its chunks has no copy left, the first [0-9a-f]{64}$/),
  ]);
  const risky = about("warning");
  expect(risky).toHaveLength(101);
  // With n3 away, an object that n1 missed has one copy.
  expect(risky[0]).toMatch(/^box\/risky\/0: at risk: 1 of its chunks has one copy left, the first [0-9a-f]{64}$/);
  expect(risky.at(-1)).toBe(`and ${MANY + 1 - 100} more objects at risk`);
  expect(exitCode).toBe(7);
  const { stdout: text } = await cli(["fsck", ...args], { env });
  expect(text).toMatch(/broken +box\/lost: lost: .*\n +why: .*\n +do: +bring back a disk/);
}

test("fsck on a cluster names the objects that are lost or at risk, with its metadata in SQLite", async () => {
  await using folder = await createTempFolder();
  const store = await openSqliteMetadataStore({
    ...{ path: join(folder.path, "metadata.sqlite"), storeFolder: folder.path, durability: "os" },
  });
  await fill(store);
  await store.close();
  await expectFindings(["--path", folder.path], {});
});

test("fsck on a cluster names the objects that are lost or at risk, with its metadata in PostgreSQL", async () => {
  const schema = await createPostgresSchema();
  const store = await openPostgresMetadataStore({ pool: () => new pg.Pool({ connectionString: schema.url }) });
  await fill(store);
  await store.close();
  await expectFindings([], { DATABASE_URL: schema.url });
  await schema.drop();
});
