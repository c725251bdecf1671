import { cp, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, fixed } from "@ashlar/sdk";
import { expect, test } from "vitest";
import { cli, jsonLines } from "../support/cli.ts";
import { createTempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";

const CHUNK = 64 * 1024;

interface Finding {
  readonly level: string;
  readonly what: string;
}

async function fsck(path: string, ...args: readonly string[]): Promise<{ exitCode: number; findings: Finding[] }> {
  const { exitCode, stdout } = await cli(["fsck", "--path", path, "--chunks", ...args, "--json"]);
  return { exitCode, findings: jsonLines<Finding>(stdout) };
}

async function fill(path: string): Promise<void> {
  await using client = createClient(embedded({ path, durability: "os" }));
  await client.createBucket({ bucket: "photos" });
  for (const [index, key] of ["a", "b", "c"].entries()) {
    const body = testBytes(3 * CHUNK, index + 1);
    await client.putObject({ bucket: "photos", key, body, chunker: fixed(CHUNK) });
  }
  // The same chunks: read once, and both objects are named.
  await client.copyObject({ sourceBucket: "photos", sourceKey: "c", bucket: "photos", key: "copy of c" });
  await client.putObject({ bucket: "photos", key: "inline", body: "hello" });
}

const fileOf = (path: string, seed: number): string => {
  const id = sha256Hex(testBytes(CHUNK, seed, CHUNK));
  return join(path, "chunks", id.slice(0, 2), id.slice(2, 4), id);
};

test("fsck --chunks compares every chunk of a folder with its digest, and names every object that is hurt", async () => {
  await using folder = await createTempFolder();
  const path = folder.at("store");
  await fill(path);
  const whole = await fsck(path);
  expect(whole.exitCode).toBe(0);
  expect(whole.findings.at(-1)).toEqual({ level: "ok", what: "read 9 chunks, 576 KiB" });

  await rm(fileOf(path, 1));
  const handle = await open(fileOf(path, 3), "r+");
  await handle.write(Buffer.from("rot"), 0, 3, 1000);
  await handle.close();
  const hurt = await fsck(path, "--rate", "100MiB");
  expect(hurt.exitCode).toBe(7);
  const broken = hurt.findings.filter(({ level }) => level === "broken").map(({ what }) => what);
  expect(broken).toContain("1 chunk missing, 1 damaged");
  for (const key of ["a", "c", "copy of c"])
    expect(broken).toContainEqual(
      expect.stringMatching(
        new RegExp(`^photos/${key}: no good copy was found of 1 of its chunks, the first [0-9a-f]{64}$`),
      ),
    );
  expect(broken.join()).not.toMatch(/photos\/(b|inline)/);
});

test("fsck --chunks counts files that no row knows, and deletes none", async () => {
  await using folder = await createTempFolder();
  const path = folder.at("store");
  await fill(path);
  // Another store's chunk files are put in: as after a database was restored to an older state.
  const other = folder.at("other");
  await using client = createClient(embedded({ path: other, durability: "os" }));
  await client.createBucket({ bucket: "photos" });
  await client.putObject({ bucket: "photos", key: "x", body: testBytes(2 * CHUNK, 9), chunker: fixed(CHUNK) });
  await cp(join(other, "chunks"), join(path, "chunks"), { recursive: true });
  const { exitCode, findings } = await fsck(path);
  expect(exitCode).toBe(0);
  expect(findings).toContainEqual(
    expect.objectContaining({ level: "note", what: "2 files of chunks, 128 KiB, that no row knows" }),
  );
  const files = (await readdir(join(path, "chunks"), { recursive: true })).filter((name) => /[0-9a-f]{64}$/.test(name));
  expect(files).toHaveLength(11);
});

test("fsck: --repair needs a cluster, and --repair and --rate need --chunks", async () => {
  await using folder = await createTempFolder();
  const path = folder.at("store");
  await fill(path);
  for (const args of [["--repair", "--chunks"], ["--repair"], ["--rate", "1MiB"]])
    expect((await cli(["fsck", "--path", path, ...args])).exitCode).toBe(2);
});
