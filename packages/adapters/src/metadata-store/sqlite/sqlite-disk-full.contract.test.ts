import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
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

test("filled to the last put, the store lists, gets, deletes and opens anew, and its log stays small", async (context) => {
  if (!mounted) context.skip();
  const path = join(mountPoint, "second.sqlite");
  let store = await openSqliteMetadataStore({ path });
  await store.createBucket("case-bucket");
  const put = (key: string): Promise<unknown> =>
    store.commitObject({
      ...{ bucket: "case-bucket", key, sizeBytes: 5000, etag: "x", durability: "strict", attributes: {} },
      content: { inline: new Uint8Array(5000) },
    });
  const keys: string[] = [];
  for (let refused = false; !refused; ) {
    const key = `k${keys.length}`;
    await put(key).then(
      () => void keys.push(key),
      (error: unknown) => {
        expect(error).toMatchObject({ code: "DISK_FULL" });
        refused = true;
      },
    );
  }
  expect(keys.length).toBeGreaterThan(50);
  const disk = await statfs(mountPoint);
  expect(disk.bavail * disk.bsize).toBeGreaterThan(64 * 1024);
  expect((await stat(`${path}-wal`)).size).toBeLessThan((await stat(path)).size / 2);
  await store.close();
  store = await openSqliteMetadataStore({ path });
  await expect(put("more")).rejects.toMatchObject({ code: "DISK_FULL" });
  expect((await store.listObjects({ bucket: "case-bucket", limit: 1000 })).objects).toHaveLength(keys.length);
  expect((await store.getObject({ bucket: "case-bucket", key: "k0" }))?.info.sizeBytes).toBe(5000);
  for (const key of keys) await store.deleteObject({ bucket: "case-bucket", key });
  expect((await store.listObjects({ bucket: "case-bucket" })).objects).toEqual([]);
  await store.close();
});

test("a store that is opened anew on a disk without a free byte answers reads, refuses writes, and goes on once there is room", async (context) => {
  if (!mounted) context.skip();
  const path = join(mountPoint, "third.sqlite");
  for (const name of await readdir(mountPoint)) await rm(join(mountPoint, name));
  const open = (): ReturnType<typeof openSqliteMetadataStore> => openSqliteMetadataStore({ path });
  const commit = { bucket: "case-bucket", sizeBytes: 4, etag: "x", durability: "strict" as const, attributes: {} };
  const content = { inline: new TextEncoder().encode("text") };
  let store = await open();
  await store.createBucket("case-bucket");
  await store.commitObject({ ...commit, key: "k", content });
  await store.close();
  const ballast = join(mountPoint, "ballast");
  await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024)).catch((error: unknown) => {
    expect(error).toMatchObject({ code: "ENOSPC" });
  });
  expect((await statfs(mountPoint)).bavail).toBe(0);

  store = await open();
  expect(await store.listBuckets()).toHaveLength(1);
  expect((await store.listObjects({ bucket: "case-bucket" })).objects).toHaveLength(1);
  expect((await store.getObject({ bucket: "case-bucket", key: "k" }))?.inline).toEqual(content.inline);
  expect(await store.checkIntegrity()).toEqual([]);
  const later = { ...commit, key: "later", content };
  await expect(store.commitObject(later)).rejects.toMatchObject({ code: "DISK_FULL" });
  await rm(ballast);
  await store.commitObject(later);
  await store.close();
  store = await open();
  expect((await store.listObjects({ bucket: "case-bucket" })).objects).toHaveLength(2);
  await store.close();
});

test("a store that cannot even be made says that it is the disk, and what to do", async (context) => {
  if (!mounted) context.skip();
  const ballast = join(mountPoint, "ballast");
  await writeFile(ballast, Buffer.alloc(4 * 1024 * 1024)).catch(() => {});
  await expect(openSqliteMetadataStore({ path: join(mountPoint, "new.sqlite") })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining("free"),
  });
  await rm(ballast);
});
