import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSqliteMetadataStore } from "./index.ts";

let mountPoint: string;
let mounted = false;

beforeAll(async () => {
  mountPoint = await mkdtemp(join(tmpdir(), "ashlar-sqlite-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2097152", "tmpfs", mountPoint], { stdio: "ignore" });
    mounted = true;
  } catch {
    process.stdout.write("skipped: the full-disk case needs the right to mount a tmpfs\n");
  }
});

afterAll(async () => {
  if (mounted) execFileSync("umount", [mountPoint]);
  await rm(mountPoint, { recursive: true, force: true });
});

test("a full disk refuses commits with DISK_FULL, keeps what was answered, and is over once there is room", async (context) => {
  if (!mounted) context.skip();
  const ballast = join(mountPoint, "ballast");
  await writeFile(ballast, Buffer.alloc(600_000));
  const store = await openSqliteMetadataStore({ path: join(mountPoint, "metadata.sqlite") });
  await store.createBucket("case-bucket");
  const inline = new Uint8Array(20_000);
  const commit = {
    bucket: "case-bucket",
    sizeBytes: inline.byteLength,
    etag: "x",
    durability: "strict" as const,
    attributes: {},
  };
  const put = (key: string): Promise<unknown> => store.commitObject({ ...commit, key, content: { inline } });
  const kept: string[] = [];
  let refusal: unknown;
  for (let index = 0; index < 200 && refusal === undefined; index++) {
    const keys = [0, 1, 2].map((part) => `k${String(index).padStart(3, "0")}-${part}`);
    const results = await Promise.allSettled(keys.map(put));
    results.forEach((result, part) => {
      if (result.status === "fulfilled") kept.push(keys[part] ?? "");
      else refusal = result.reason;
    });
  }
  expect(AshlarError.is(refusal) ? refusal.code : refusal).toBe("DISK_FULL");
  expect(kept.length).toBeGreaterThan(0);
  expect((await store.listObjects({ bucket: "case-bucket" })).objects.map(({ key }) => key)).toEqual(kept);
  await rm(ballast);
  await put("later");
  expect((await store.listObjects({ bucket: "case-bucket" })).objects).toHaveLength(kept.length + 1);
  await store.close();
});
