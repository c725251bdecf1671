import { embedded } from "@ashlar/adapters/embedded";
import { createClient } from "@ashlar/sdk";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cli, cliJson } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

const KEYS = ["a", "a/1", "a/b/2", "ab", "z"];

let folder: TempFolder;
let count = 0;
let bucket: string;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await createTempFolder();
  env = { ASHLAR_PATH: folder.at("store") };
});
afterAll(() => folder[Symbol.asyncDispose]());
beforeEach(async () => {
  bucket = `bucket-${count++}`;
  await using client = createClient(embedded({ path: folder.at("store") }));
  await client.createBucket({ bucket });
  for (const key of KEYS) await client.putObject({ bucket, key, body: key });
});

const keys = async (): Promise<readonly string[]> =>
  (await cliJson<{ key: string }>(["ls", "-r", bucket], { env })).map(({ key }) => key);

async function startUpload(key: string): Promise<string> {
  await using client = createClient(embedded({ path: folder.at("store") }));
  const { uploadId } = await client.createUpload({ bucket, key });
  await client.writePart({ uploadId, partNumber: 1, body: "part" });
  return uploadId;
}

describe("rm of several objects", () => {
  test("goes on where one is not there, tells what it did and what is missing, and ends with exit code 3", async () => {
    const at = (key: string): string => `${bucket}/${key}`;
    const dry = await cli(["rm", at("a"), at("none"), at("z"), "--dry-run"], { env });
    expect([dry.exitCode, dry.stdout]).toEqual([3, expect.stringContaining("would delete 2 objects")]);
    const one = await cli(["rm", at("a"), at("none"), at("z")], { env });
    expect([one.exitCode, one.stdout]).toEqual([3, "deleted 2 objects\n"]);
    expect(one.stderr).toContain(`no object none in ${bucket}`);
    const two = await cli(["rm", at("none"), "no-such-bucket/x", at("ab"), "--json"], { env });
    expect([two.exitCode, JSON.parse(two.stdout)]).toEqual([3, { deletedCount: 1 }]);
    expect(JSON.parse(two.stderr).error.message).toContain(
      `2 of 3 objects do not exist: ${at("none")}, no-such-bucket/x`,
    );
    expect(await keys()).toEqual(["a/1", "a/b/2"]);
    const forced = await cli(["rm", "-f", at("none"), at("a/1")], { env });
    expect([forced.exitCode, forced.stdout]).toEqual([0, "deleted 1 object\n"]);
  });
});

describe("rm -r", () => {
  test("without a terminal does nothing unless --yes is given, and says what it would do", async () => {
    for (const flags of [[], ["--json"], ["-f"]]) {
      const run = await cli(["rm", "-r", `${bucket}/a`, ...flags], { env });
      expect(run.exitCode).toBe(2);
      expect(run.stderr).toMatch(new RegExp(`delete 2 objects \\(8 B\\) in ${bucket}/a/; .*--yes`));
    }
    expect(await keys()).toEqual(KEYS);
  });

  test.each([
    ["a folder, with and without its slash", ["a"], ["a", "ab", "z"]],
    ["a folder, with and without its slash", ["a/"], ["a", "ab", "z"]],
    ["several", ["a", "z"], ["a", "ab", "z"]],
    ["all keys with that prefix, if asked", ["a", "--prefix"], ["z"]],
    ["the whole bucket", [""], []],
  ])("takes %s", async (_what, [key = "", ...more], left) => {
    const flags = more.filter((word) => word.startsWith("-"));
    const others = more.filter((word) => !word.startsWith("-")).map((word) => `${bucket}/${word}`);
    const dry = await cli(["rm", "-r", `${bucket}/${key}`, ...others, ...flags, "--dry-run"], { env });
    expect(dry.stdout.match(/^would delete .*\//gm)?.length ?? 0).toBe(KEYS.length - left.length);
    expect(await keys()).toEqual(KEYS);
    const run = await cli(["rm", "-r", `${bucket}/${key}`, ...others, ...flags, "--yes"], { env });
    expect([run.exitCode, run.stdout]).toEqual([
      0,
      expect.stringContaining(`deleted ${KEYS.length - left.length} object`),
    ]);
    expect(await keys()).toEqual(left);
  });

  test("of more than a page takes all", async () => {
    await using client = createClient(embedded({ path: folder.at("store") }));
    await Promise.all(
      Array.from({ length: 2300 }, (_, index) => client.putObject({ bucket, key: `many/${index}`, body: "" })),
    );
    expect((await cli(["rm", "-r", `${bucket}/many`, "--yes"], { env })).stdout).toBe("deleted 2300 objects\n");
    expect(await keys()).toEqual(KEYS);
  });

  test("of nothing says so; --dry-run deletes nothing without -r either; --prefix needs -r", async () => {
    const nothing = await cli(["rm", "-r", `${bucket}/none`], { env });
    expect([nothing.exitCode, nothing.stderr]).toEqual([0, `there is nothing in ${bucket}/none/\n`]);
    expect(await cliJson(["rm", "--dry-run", `${bucket}/a`], { env })).toEqual([
      { type: "object", bucket, key: "a" },
      { dryRun: true, objectCount: 1 },
    ]);
    expect((await cli(["rm", "--dry-run", `${bucket}/none`], { env })).exitCode).toBe(3);
    expect((await cli(["rm", "--dry-run", "-f", `${bucket}/none`], { env })).exitCode).toBe(0);
    expect((await cli(["rm", "--prefix", `${bucket}/a`], { env })).exitCode).toBe(2);
    expect(await keys()).toEqual(KEYS);
  });
});

describe("rb", () => {
  test("says what is in the way, and how to remove it", async () => {
    const objects = await cli(["rb", bucket], { env });
    expect([objects.exitCode, objects.stderr]).toEqual([6, expect.stringContaining(`ashlar rm -r ${bucket}`)]);
    expect(objects.stderr).not.toContain("uploads ls");
    await startUpload("big");
    await cli(["rm", "-r", bucket, "--yes"], { env });
    const uploads = await cli(["rb", bucket], { env });
    expect([uploads.exitCode, uploads.stderr]).toEqual([6, expect.stringContaining("1 unfinished upload")]);
    expect(uploads.stderr).toContain(`ashlar uploads abort ${bucket}`);
    expect(uploads.stderr).not.toContain("rm -r");
    const json = JSON.parse((await cli(["rb", bucket, "--json"], { env })).stderr);
    expect(json.error.details).toEqual({ bucket, hasObjects: "false", uploadCount: "1" });
  });

  test("--force takes objects and uploads too, when it is told to", async () => {
    await startUpload("big");
    const refused = await cli(["rb", bucket, "--force"], { env });
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringMatching(/5 objects .*1 unfinished upload/)]);
    expect(await keys()).toEqual(KEYS);
    const run = await cli(["rb", bucket, "--force", "--yes"], { env });
    expect(run.stdout).toBe(`removed ${bucket} with 5 objects and 1 unfinished upload\n`);
    expect((await cli(["ls", bucket], { env })).exitCode).toBe(3);
    expect((await cli(["rb", bucket, "--force", "--yes"], { env })).exitCode).toBe(3);
  });
});

describe("uploads", () => {
  test("are listed, and aborted by id, by prefix or all", async () => {
    const [first, second, third] = [await startUpload("x/1"), await startUpload("x/2"), await startUpload("y")];
    expect(
      (await cliJson<{ uploadId: string }>(["uploads", "ls", bucket], { env })).map((upload) => upload.uploadId),
    ).toEqual([first, second, third]);
    expect((await cli(["uploads", "ls", `${bucket}/y`], { env })).stdout).toMatch(new RegExp(` ${third}  y\n$`));
    expect((await cli(["uploads", "abort", bucket, "nothing"], { env })).exitCode).toBe(3);
    expect((await cli(["uploads", "abort", bucket], { env })).exitCode).toBe(2);
    expect((await cli(["uploads", "abort", bucket, first ?? ""], { env })).stdout).toBe(
      "aborted 1 unfinished upload\n",
    );
    expect((await cli(["uploads", "abort", `${bucket}/x`, "--yes"], { env })).stdout).toContain("1 unfinished");
    expect(await cliJson(["uploads", "ls", bucket], { env })).toMatchObject([{ uploadId: third }]);
    await cli(["uploads", "abort", bucket, "--yes"], { env });
    expect((await cli(["uploads", "ls", bucket], { env })).stderr).toContain("no unfinished uploads");
  });
});

describe("mv", () => {
  test("leaves one object, under the new name, with all that it had", async () => {
    await cli(["put", "-", `${bucket}/old.txt`, "--metadata", "owner=me"], { env, input: "moved" });
    expect((await cli(["mv", `${bucket}/old.txt`, `${bucket}/new/`], { env })).exitCode).toBe(0);
    expect((await cli(["get", `${bucket}/new/old.txt`, "-"], { env })).stdout).toBe("moved");
    expect(await cliJson(["head", `${bucket}/new/old.txt`], { env })).toMatchObject([{ metadata: { owner: "me" } }]);
    expect((await cli(["head", `${bucket}/old.txt`], { env })).exitCode).toBe(3);
  });

  test("is refused onto itself, of nothing, and over what a condition protects: the source stays", async () => {
    expect((await cli(["mv", `${bucket}/a`, `${bucket}/a`], { env })).exitCode).toBe(2);
    expect((await cli(["mv", `${bucket}/none`, `${bucket}/b`], { env })).exitCode).toBe(3);
    expect((await cli(["mv", `${bucket}/a`, `${bucket}/z`, "--if-none-match", "*"], { env })).exitCode).toBe(6);
    expect(await keys()).toEqual(KEYS);
  });
});

describe("du", () => {
  test("adds up by folder, in all, and by bucket", async () => {
    expect(await cliJson(["du", bucket], { env })).toEqual([
      { type: "prefix", bucket, prefix: "a/", objectCount: 2, sizeBytes: 8 },
      { type: "total", objectCount: 5, sizeBytes: 12 },
    ]);
    expect(await cliJson(["du", `${bucket}/a`], { env })).toEqual([
      { type: "prefix", bucket, prefix: "a/b/", objectCount: 1, sizeBytes: 5 },
      { type: "total", objectCount: 2, sizeBytes: 8 },
    ]);
    expect((await cli(["du", `${bucket}/a`, "-s"], { env })).stdout).toMatch(
      new RegExp(`^ +8 B +2 objects  ${bucket}/a\n$`),
    );
    expect(await cliJson(["du"], { env })).toContainEqual({ type: "bucket", bucket, objectCount: 5, sizeBytes: 12 });
    expect((await cli(["du", "no-such-bucket"], { env })).exitCode).toBe(3);
  });
});
