import {
  cp,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, fixed, gateway, type ObjectClient } from "@ashlar/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli, cliJson, jsonLines, spawnCli } from "../support/cli.ts";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { sha256Hex, testBytes } from "../support/test-bytes.ts";

const KIB = 1024;
const CHUNK = 64 * KIB;

interface Made {
  readonly name: string;
  readonly objects: number;
  readonly buckets: number;
  readonly chunksWritten: number;
  readonly chunksPresent: number;
  readonly isOneMoment: boolean;
  readonly unreadable: number;
  readonly problems: ReadonlyArray<{ readonly key: string }>;
}

interface Restored {
  readonly objectsRestored: number;
  readonly objectsPresent: number;
  readonly conflicts: { readonly count: number; readonly listed: ReadonlyArray<{ readonly key: string }> };
  readonly damaged: { readonly count: number; readonly listed: ReadonlyArray<{ readonly key: string }> };
}

let folder: TempFolder;

beforeEach(async () => {
  folder = await createTempFolder();
});

afterEach(() => folder.remove());

async function inStore<T>(name: string, work: (client: ObjectClient) => Promise<T>): Promise<T> {
  await using client = createClient(embedded({ path: folder.at(name), durability: "os" }));
  return await work(client);
}

async function backUp(store: string = "store"): Promise<Made> {
  const [made] = await cliJson<Made>(["backup", folder.at("backups"), "--path", folder.at(store)]);
  return made as Made;
}

/** Files below a folder, by their paths in it. */
async function filesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const chunkFiles = async (path: string): Promise<readonly string[]> =>
  (await filesIn(join(path, "chunks"))).filter((file) => /\/[0-9a-f]{64}$/.test(file));

/** Changes one byte of the payload. */
async function flip(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, 100);
    await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, 100);
  } finally {
    await handle.close();
  }
}

/**
 * Runs a command and kills it when a folder has some chunks. If it was faster than that, it is tried again over an empty folder.
 *
 * @returns the chunk files that it left.
 */
async function killedInTheMiddle(
  args: readonly string[],
  { path, chunkCount }: { readonly path: string; readonly chunkCount: number },
): Promise<readonly string[]> {
  for (let attempt = 1; attempt <= 5; attempt++) {
    await rm(path, { recursive: true, force: true });
    const running = spawnCli(args);
    let hasEnded = false;
    const ended = running.ended.then(
      () => true,
      () => false,
    );
    void ended.then(() => {
      hasEnded = true;
    });
    while (!hasEnded && (await chunkFiles(path).catch(() => [])).length < chunkCount)
      await new Promise((resolve) => setTimeout(resolve, 5));
    running.kill("SIGKILL");
    if (!(await ended)) return await chunkFiles(path);
  }
  throw new Error(`${args.join(" ")} ended five times before it could be killed`);
}

const KEYS = [
  ...[
    "a",
    "ab",
    "a/b",
    "A",
    "a//b/",
    "..",
    "../../etc/passwd",
    "line\nend",
    "\u001b[31m",
    "é",
    "e\u0301",
    "日本語",
    "\u{10ffff}",
    "\uffff",
  ],
  ...["-rf", "a b", '"', "\\", "x".repeat(1024)],
];

/** Objects of every kind that a store has. */
async function fill(client: ObjectClient): Promise<void> {
  await client.createBucket({ bucket: "empty-bucket" });
  await client.createBucket({ bucket: "photos" });
  await client.createBucket({ bucket: "odd" });
  for (const [index, key] of KEYS.entries()) {
    await client.putObject({
      bucket: "odd",
      key,
      body: `value ${index}`,
      contentType: "text/x-odd",
      metadata: { n: `${index}` },
    });
  }
  await client.putObject({ bucket: "photos", key: "empty", body: "" });
  const chunker = fixed(CHUNK);
  await client.putObject({
    ...{ bucket: "photos", key: "large", body: testBytes(20 * CHUNK + 7, 1), chunker },
    ...{ cacheControl: "no-store", contentDisposition: "inline", contentEncoding: "x", contentLanguage: "de" },
    ...{ contentType: "image/x", expires: "Thu, 01 Dec 1994 16:00:00 GMT", metadata: { who: "Zoë" } },
  });
  await client.putObject({ bucket: "photos", key: "zeros", body: new Uint8Array(9 * CHUNK), chunker });
  const { uploadId } = await client.createUpload({ bucket: "photos", key: "parts", contentType: "video/x" });
  const parts = [];
  for (const partNumber of [1, 2]) {
    const body = testBytes(3 * CHUNK, 10 + partNumber);
    parts.push({ partNumber, etag: (await client.writePart({ uploadId, partNumber, body })).etag });
  }
  await client.completeUpload({ uploadId, parts });
  // A copy has the bytes of its source; an unfinished upload is no object.
  await client.copyObject({
    sourceBucket: "photos",
    sourceKey: "large",
    bucket: "odd",
    key: "copy",
    contentType: "image/y",
  });
  await client.createUpload({ bucket: "photos", key: "unfinished" });
}

/** Everything that a store has, without what is new after a restore. */
async function contentsOf(client: ObjectClient): Promise<unknown> {
  const contents: Record<string, unknown> = {};
  for (const { bucket } of await client.listBuckets()) {
    contents[bucket] = [];
    for await (const entry of client.listObjects({ bucket })) {
      if (entry.type !== "object") continue;
      const object = await client.getObject({ bucket, key: entry.key });
      const {
        objectVersion: _,
        createdAtMs: __,
        ...facts
      } = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
      if (entry.key === "parts") {
        // Put together from parts, it has no digest and an etag of its parts; restored, it was written in one go.
        facts.etag = undefined;
        facts.sha256 = undefined;
      }
      (contents[bucket] as unknown[]).push({ ...facts, digest: sha256Hex(await object.bytes()) });
    }
  }
  return contents;
}

test("a store comes back from its backup with every key, byte and attribute, and the same etags", async () => {
  const before = await inStore("store", async (client) => {
    await fill(client);
    return await contentsOf(client);
  });
  const made = await backUp();
  expect(made).toMatchObject({ objects: KEYS.length + 5, buckets: 3, unreadable: 0, isOneMoment: true });
  const [did] = await cliJson<Restored>(["restore", folder.at("backups"), "--path", folder.at("restored")]);
  expect(did).toMatchObject({ objectsRestored: KEYS.length + 5, conflicts: { count: 0 }, damaged: { count: 0 } });
  expect(await inStore("restored", contentsOf)).toEqual(before);
  const [again] = await cliJson<Restored>(["restore", folder.at("backups"), "--path", folder.at("restored")]);
  expect(again).toMatchObject({ objectsRestored: 0, objectsPresent: KEYS.length + 5 });
});

test("a backup is closed to other users: folders 0700, files 0600", async () => {
  await inStore("store", fill);
  const umask = process.umask(0);
  try {
    await backUp();
  } finally {
    process.umask(umask);
  }
  const path = folder.at("backups");
  const entries = await readdir(path, { recursive: true });
  for (const entry of ["", ...entries]) {
    const stats = await lstat(join(path, entry));
    expect([entry, stats.mode & 0o777]).toEqual([entry, stats.isDirectory() ? 0o700 : 0o600]);
  }
});

test("a second backup writes only the chunks that are new", async () => {
  await inStore("store", fill);
  const first = await backUp();
  const files = await chunkFiles(folder.at("backups"));
  expect(files).toHaveLength(first.chunksWritten);
  expect(await backUp()).toMatchObject({ chunksWritten: 0, chunksPresent: 0, objects: first.objects });
  await inStore("store", async (client) => {
    const body = testBytes(22 * CHUNK, 1);
    await client.putObject({ bucket: "photos", key: "larger", body, chunker: fixed(CHUNK) });
    await client.deleteObject({ bucket: "photos", key: "zeros" });
  });
  // The first 20 chunks are those of "large".
  const third = await backUp();
  expect(third).toMatchObject({ chunksWritten: 2, chunksPresent: 20, objects: first.objects });
  expect(await chunkFiles(folder.at("backups"))).toHaveLength(files.length + 2);
  const listed = await cliJson<{ readonly objects: number }>(["backup", "list", folder.at("backups")]);
  expect(listed.map(({ objects }) => objects)).toEqual([first.objects, first.objects, first.objects]);
});

test("an older backup can be restored, a bucket of it, and a prefix", async () => {
  await inStore("store", fill);
  const first = await backUp();
  await inStore("store", (client) => client.deleteObject({ bucket: "odd", key: "a/b" }));
  await backUp();
  const restore = ["restore", folder.at("backups"), "--bucket", "odd", "--prefix", "a/"];
  const [newest] = await cliJson<Restored>([...restore, "--path", folder.at("newest")]);
  expect(newest).toMatchObject({ objectsRestored: 1 });
  const [older] = await cliJson<Restored>([...restore, "--path", folder.at("older"), "--backup", first.name]);
  expect(older).toMatchObject({ objectsRestored: 2 });
  const keys = await inStore("older", async (client) => ({
    buckets: (await client.listBuckets()).map(({ bucket }) => bucket),
    keys: (await client.listObjectsPage({ bucket: "odd" })).objects.map(({ key }) => key),
  }));
  expect(keys).toEqual({ buckets: ["odd"], keys: ["a//b/", "a/b"] });
  const none = await cli([...restore, "--path", folder.at("older"), "--backup", "2020-01-01T00-00-00.000Z"]);
  expect(none.exitCode).toBe(2);
});

test("a backup that was killed in the middle is no backup, and the next one goes on where it was", async () => {
  await inStore("store", async (client) => {
    await client.createBucket({ bucket: "photos" });
    for (let index = 0; index < 20; index++) {
      const body = testBytes(100 * CHUNK, index);
      await client.putObject({ bucket: "photos", key: `${index}`, body, chunker: fixed(CHUNK) });
    }
  });
  const files = await killedInTheMiddle(["backup", folder.at("backups"), "--path", folder.at("store")], {
    path: folder.at("backups"),
    chunkCount: 50,
  });
  expect(await cliJson(["backup", "list", folder.at("backups")])).toEqual([]);
  const none = await cli(["restore", folder.at("backups"), "--path", folder.at("restored")]);
  expect(none.exitCode).toBe(2);
  const written = new Map(await Promise.all(files.map(async (file) => [file, (await lstat(file)).ino] as const)));
  const made = await backUp();
  expect(made).toMatchObject({ objects: 20, chunksWritten: 2000 - files.length, chunksPresent: files.length });
  for (const [file, ino] of written) expect((await lstat(file)).ino).toBe(ino);
  expect(await chunkFiles(folder.at("backups"))).toHaveLength(2000);
  expect((await readdir(folder.at("backups", "backups"))).filter((name) => name.startsWith("."))).toEqual([]);
}, 120_000);

test("an object that the store lost bytes of is named, and the others are backed up", async () => {
  await inStore("store", fill);
  const [victim = ""] = await chunkFiles(folder.at("store"));
  await flip(victim);
  const { exitCode, stdout, stderr } = await cli([
    "backup",
    folder.at("backups"),
    "--path",
    folder.at("store"),
    "--json",
  ]);
  const [made] = jsonLines<Made>(stdout);
  expect(exitCode, stderr).toBe(7);
  expect(made?.unreadable).toBeGreaterThanOrEqual(1);
  expect(made?.problems).toHaveLength(made?.unreadable ?? 0);
  const text = await cli(["backup", folder.at("backups"), "--path", folder.at("store")]);
  expect(text.exitCode).toBe(7);
  for (const { key } of made?.problems ?? []) expect(text.stderr).toContain(`/${key}: `);
  // No wrong bytes are in the folder, and what the backup names is whole.
  expect((await cli(["backup", "verify", folder.at("backups")])).exitCode).toBe(0);
  const [did] = await cliJson<Restored>(["restore", folder.at("backups"), "--path", folder.at("restored")]);
  expect(did?.objectsRestored).toBe(made?.objects);
  expect(made?.objects).toBe(KEYS.length + 5 - (made?.unreadable ?? 0));
});

test("a backup that already has an object keeps it when the store loses its bytes", async () => {
  await inStore("store", fill);
  const first = await backUp();
  for (const file of await chunkFiles(folder.at("store"))) await flip(file);
  expect(await backUp()).toMatchObject({ objects: first.objects, unreadable: 0 });
});

test("an object whose bytes the store has lost comes back when it is deleted and restored", async () => {
  await inStore("store", fill);
  const before = await inStore("store", contentsOf);
  await backUp();
  for (const file of await chunkFiles(folder.at("store"))) await flip(file);
  const restore = ["restore", folder.at("backups"), "--path", folder.at("store")];
  expect((await cliJson<Restored>(restore))[0]).toMatchObject({ objectsRestored: 0 });
  for (const address of ["photos/large", "photos/zeros", "photos/parts", "odd/copy"])
    expect((await cli(["rm", address, "--path", folder.at("store")])).exitCode).toBe(0);
  expect((await cliJson<Restored>(restore))[0]).toMatchObject({ objectsRestored: 4, conflicts: { count: 0 } });
  expect(await inStore("store", contentsOf)).toEqual(before);
  expect((await cli(["fsck", "--chunks", "--path", folder.at("store")])).exitCode).toBe(0);
});

test("an object whose row is damaged is named, and all others are backed up, through a folder and a gateway", async () => {
  const served = await startServedStore(folder);
  try {
    await inStore("served", fill);
    const database = new DatabaseSync(folder.at("served", "metadata.sqlite"));
    for (const key of ["a b", "é", "日本語"]) {
      database.prepare("UPDATE objects SET etag = 'rotten' WHERE bucket = 'odd' AND key = ?").run(Buffer.from(key));
    }
    database.close();
    for (const [backups, seat] of [
      ["by-folder", ["--path", folder.at("served")]],
      ["by-gateway", ["--gateway", served.url, "--api-key", served.apiKey]],
    ] as const) {
      const { exitCode, stdout, stderr } = await cli(["backup", folder.at(backups), ...seat, "--json"]);
      expect(exitCode, stderr).toBe(7);
      const [made] = jsonLines<Made>(stdout);
      expect(made, stderr).toMatchObject({ objects: KEYS.length + 5 - 3, unreadable: 3, isOneMoment: true });
      expect(made?.problems.map(({ key }) => key)).toEqual(["a b", "é", "日本語"]);
    }
  } finally {
    await served.server.stop();
  }
});

test("a damaged chunk of the backup: verify and restore name its object, the rest comes back, and the next backup mends it", async () => {
  await inStore("store", async (client) => {
    await client.createBucket({ bucket: "photos" });
    for (const key of ["one", "two"]) {
      const body = testBytes(3 * CHUNK, key.length + key.charCodeAt(0));
      await client.putObject({ bucket: "photos", key, body, chunker: fixed(CHUNK) });
    }
  });
  const made = await backUp();
  const record = await readFile(folder.at("backups", "backups", `${made.name}.jsonl`), "utf8");
  const [, id = ""] = /"key":"two".*\n\{"chunks":\[\["([0-9a-f]{64})"/.exec(record) ?? [];
  await flip(folder.at("backups", "chunks", id.slice(0, 2), id.slice(2, 4), id));
  await cp(folder.at("backups"), folder.at("copied"), { recursive: true });

  const verified = await cli(["backup", "verify", folder.at("backups")]);
  expect(verified.exitCode).toBe(7);
  expect(verified.stderr).toContain(
    `photos/two: in ${made.name}: 1 of its chunks is missing or damaged, the first ${id}`,
  );
  expect(verified.stderr).not.toContain("photos/one");

  const args = ["restore", folder.at("copied"), "--path", folder.at("restored")];
  const { exitCode, stdout } = await cli([...args, "--json"]);
  const [did] = jsonLines<Restored>(stdout);
  expect(exitCode).toBe(7);
  expect(did).toMatchObject({ objectsRestored: 1, damaged: { count: 1, listed: [{ bucket: "photos", key: "two" }] } });
  expect((await cli(args)).stderr).toContain("photos/two");
  expect(
    await inStore("restored", async (client) =>
      (await client.listObjectsPage({ bucket: "photos" })).objects.map(({ key }) => key),
    ),
  ).toEqual(["one"]);

  expect(await backUp()).toMatchObject({ chunksWritten: 1, chunksPresent: 2 });
  expect((await cli(["backup", "verify", folder.at("backups")])).exitCode).toBe(0);
});

test("a restore leaves objects alone that differ, unless they may be overwritten", async () => {
  await inStore("store", fill);
  await backUp();
  await inStore("target", async (client) => {
    await client.createBucket({ bucket: "photos" });
    await client.putObject({ bucket: "photos", key: "large", body: "mine" });
    await client.putObject({ bucket: "photos", key: "other", body: "mine too" });
    await client.putObject({ bucket: "photos", key: "zeros", body: new Uint8Array(9 * CHUNK), contentType: "x/other" });
  });
  const args = ["restore", folder.at("backups"), "--path", folder.at("target")];
  const { exitCode, stdout } = await cli([...args, "--json"]);
  expect(exitCode).toBe(6);
  expect(
    jsonLines<Restored>(stdout)[0]
      ?.conflicts.listed.map(({ key }) => key)
      .sort(),
  ).toEqual(["large", "zeros"]);
  const mine = await inStore("target", async (client) =>
    (await client.getObject({ bucket: "photos", key: "large" })).text(),
  );
  expect(mine).toBe("mine");
  const [did] = await cliJson<Restored>([...args, "--overwrite"]);
  expect(did).toMatchObject({ objectsRestored: 2, conflicts: { count: 0 } });
  const after = await inStore("target", async (client) => {
    await client.deleteObject({ bucket: "photos", key: "other" });
    return await contentsOf(client);
  });
  expect(after).toEqual(await inStore("store", contentsOf));
});

test("prune keeps the newest backups with all their chunks, and frees the rest", async () => {
  await inStore("store", fill);
  await backUp();
  const before = await inStore("store", async (client) => {
    await client.deleteObject({ bucket: "photos", key: "parts" });
    return await contentsOf(client);
  });
  const second = await backUp();
  const [pruned] = await cliJson<{ readonly chunksDeleted: number }>([
    "backup",
    "prune",
    folder.at("backups"),
    "--keep",
    "1",
  ]);
  // Two parts of three times 64 KiB, cut at the default size.
  expect(pruned).toMatchObject({ backupsKept: 1, backupsDeleted: 1, chunksDeleted: 2 });
  expect((await cliJson<Made>(["backup", "list", folder.at("backups")])).map(({ name }) => name)).toEqual([
    second.name,
  ]);
  expect((await cli(["backup", "verify", folder.at("backups")])).exitCode).toBe(0);
  await cliJson(["restore", folder.at("backups"), "--path", folder.at("restored")]);
  expect(await inStore("restored", contentsOf)).toEqual(before);
  expect((await cli(["backup", "prune", folder.at("backups")])).exitCode).toBe(2);
});

test("a record that was cut or changed is not taken for a backup, and nothing is pruned because of it", async () => {
  await inStore("store", fill);
  const made = await backUp();
  const file = folder.at("backups", "backups", `${made.name}.jsonl`);
  const text = await readFile(file);
  for (const damage of [
    () => truncate(file, text.byteLength - 10),
    () => truncate(file, text.indexOf("\n", 400) + 1),
    () => truncate(file, 0),
    () => writeFile(file, text.toString("utf8").replace('"key":"zeros"', '"key":"zer0s"')),
  ]) {
    await writeFile(file, text);
    await damage();
    expect((await cli(["backup", "list", folder.at("backups")])).stdout).toMatch(/DAMAGED/);
    expect((await cli(["restore", folder.at("backups"), "--path", folder.at("restored")])).exitCode).toBe(7);
    expect((await cli(["backup", "verify", folder.at("backups")])).exitCode).toBe(7);
    expect((await cli(["backup", "prune", folder.at("backups"), "--keep", "1"])).exitCode).toBe(7);
  }
  expect(await chunkFiles(folder.at("backups"))).toHaveLength(made.chunksWritten);
  // The next backup needs no older one.
  expect(await backUp()).toMatchObject({ objects: made.objects, chunksWritten: 0 });
});

test("no symbolic link leads a backup or a restore out of its folder", async () => {
  await inStore("store", fill);
  const made = await backUp();
  const [chunk = ""] = await chunkFiles(folder.at("backups"));
  const [, leaf = ""] = /\/chunks\/(..)\//.exec(chunk) ?? [];
  for (const part of [
    ["backups"],
    ["chunks"],
    ["chunks", leaf],
    ["backups", `${made.name}.jsonl`],
    ["backup.json"],
    ["backup.lock"],
  ]) {
    const [place, elsewhere] = [folder.at("backups", ...part), folder.at("elsewhere")];
    await rename(place, elsewhere);
    await symlink(elsewhere, place);
    const before = (await lstat(elsewhere)).isDirectory() ? await filesIn(elsewhere) : [];
    for (const args of [["backup"], ["restore", "--backup", made.name]] as const) {
      const target = args[0] === "backup" ? folder.at("store") : folder.at("restored", part.join("-"));
      const { exitCode, stderr } = await cli([...args, folder.at("backups"), "--path", target]);
      // A backup without its last record is made anew.
      if (args[0] === "backup" && part.length === 2 && part[0] === "backups") continue;
      expect([part, args, exitCode], stderr).toEqual([part, args, 2]);
      expect(stderr).toContain("is a symbolic link");
    }
    if (before.length > 0) expect(await filesIn(elsewhere)).toEqual(before);
    await unlink(place);
    await rename(elsewhere, place);
  }
  expect((await cli(["backup", "verify", folder.at("backups")])).exitCode).toBe(0);
});

test("a folder with other files is refused, and so is one of a newer release", async () => {
  await inStore("store", fill);
  await mkdir(folder.at("mine"));
  await writeFile(folder.at("mine", "letter.txt"), "dear");
  const refused = await cli(["backup", folder.at("mine"), "--path", folder.at("store")]);
  expect(refused.exitCode).toBe(2);
  expect(await readdir(folder.at("mine"))).toEqual(["letter.txt"]);
  for (const command of [["backup", "list"], ["backup", "verify"], ["restore"]]) {
    expect(
      (await cli([...command, folder.at("nowhere"), ...(command[0] === "restore" ? ["--path", folder.at("r")] : [])]))
        .exitCode,
    ).toBe(2);
  }
  await backUp();
  await writeFile(folder.at("backups", "backup.json"), '{"format":"ashlar-backup","formatVersion":2}');
  const newer = await cli(["backup", folder.at("backups"), "--path", folder.at("store")]);
  expect(newer.exitCode).toBe(6);
  expect(newer.stderr).toContain("STORE_INCOMPATIBLE");
});

test("a store that is served and written to is backed up through its gateway with a key that may only read, and through its folder", async () => {
  const served = await startServedStore(folder);
  const { url, apiKey } = served;
  const client = createClient(gateway({ url, apiKey }));
  try {
    await client.createBucket({ bucket: "photos" });
    const body = (index: number): Uint8Array => testBytes(3 * CHUNK, index + 1);
    for (let index = 0; index < 10; index++) {
      await client.putObject({ bucket: "photos", key: `old ${index}`, body: body(index), chunker: fixed(CHUNK) });
    }
    const [{ apiKey: reader } = { apiKey: "" }] = await cliJson<{ readonly apiKey: string }>([
      ...["key", "create", "--role", "readonly", "--path", folder.at("served")],
    ]);
    let isEnded = false;
    let written = 0;
    const writing = (async () => {
      while (!isEnded) {
        const key = `new ${written % 20}`;
        await client.putObject({ bucket: "photos", key, body: body(100 + written++), chunker: fixed(CHUNK) });
      }
    })();
    const [made] = await cliJson<Made>(["backup", folder.at("backups"), "--gateway", url, "--api-key", reader]);
    const [second] = await cliJson<Made>(["backup", folder.at("backups"), "--path", folder.at("served")]);
    isEnded = true;
    await writing;
    expect(made).toMatchObject({ unreadable: 0 });
    expect(second).toMatchObject({ unreadable: 0, objectsUnchanged: expect.any(Number) });
    for (const [name, at] of [
      [made?.name, "first"],
      [second?.name, "second"],
    ] as const) {
      await cliJson(["restore", folder.at("backups"), "--backup", name ?? "", "--path", folder.at(at)]);
      const digests = await inStore(at, async (restored) => {
        const found: string[] = [];
        for await (const entry of restored.listObjects({ bucket: "photos" })) {
          if (entry.type !== "object") continue;
          const bytes = await (await restored.getObject({ bucket: "photos", key: entry.key })).bytes();
          expect(sha256Hex(bytes)).toBe(entry.sha256);
          if (entry.key.startsWith("old")) found.push(sha256Hex(bytes));
        }
        return found;
      });
      expect(digests).toEqual(Array.from({ length: 10 }, (_, index) => sha256Hex(body(index))));
    }
  } finally {
    await client.close();
    await served.server.stop();
  }
}, 120_000);

test("a restore that was killed in the middle goes on where it was", async () => {
  await inStore("store", async (client) => {
    await client.createBucket({ bucket: "photos" });
    for (let index = 0; index < 300; index++) {
      const body = testBytes(3 * CHUNK, index + 1);
      await client.putObject({ bucket: "photos", key: `${index}`, body, chunker: fixed(CHUNK) });
    }
  });
  await backUp();
  const args = ["restore", folder.at("backups"), "--path", folder.at("restored")];
  await killedInTheMiddle(args, { path: folder.at("restored"), chunkCount: 60 });
  const count = await inStore("restored", async (client) => {
    let objects = 0;
    for await (const _ of client.listObjects({ bucket: "photos" })) objects++;
    return objects;
  });
  expect(count).toBeGreaterThan(0);
  expect(count).toBeLessThan(300);
  const [did] = await cliJson<Restored>(args);
  expect(did).toMatchObject({ objectsRestored: 300 - count, objectsPresent: count, conflicts: { count: 0 } });
  expect(await inStore("restored", contentsOf)).toEqual(await inStore("store", contentsOf));
}, 120_000);
