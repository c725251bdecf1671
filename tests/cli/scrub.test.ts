import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { cli, jsonLines } from "../support/cli.ts";
import { startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

let folder: TempFolder;

beforeAll(async () => {
  folder = await createTempFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

/** A store with two objects of one chunk each. */
async function makeStore(name: string): Promise<string> {
  const path = folder.at(name);
  await cli(["put", "-", "box/hurt", "--create-bucket", "--path", path], { input: testBytes(300_000, 4) });
  await cli(["put", "-", "box/sound", "--path", path], { input: testBytes(200_000, 5) });
  return path;
}

/** Files of chunks of a size: the trailer behind the bytes has less than a KiB. */
function chunkFile(path: string, sizeBytes: number): string {
  const names = readdirSync(join(path, "chunks"), { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => /[0-9a-f]{64}$/.test(name)).map((name) => join(path, "chunks", name));
  return files.find((file) => Math.abs(readFileSync(file).byteLength - sizeBytes) < 1024)!;
}

function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[123_456]! ^= 1;
  writeFileSync(file, bytes);
}

test("a sound store is told in one line, and the next look at it says when that was", async () => {
  const path = await makeStore("sound");
  expect((await cli(["health", "--path", path])).stdout).toMatch(/note +not every chunk was checked yet/);
  const scrub = await cli(["scrub", "--path", path]);
  expect(scrub.exitCode, scrub.stdout + scrub.stderr).toBe(0);
  expect(scrub.stdout).toMatch(/^checked 2 chunks, 488 KiB, in [\d.]+s: 0 damaged\n$/);
  const health = await cli(["health", "--path", path]);
  expect(health.exitCode, health.stdout).toBe(0);
  expect(health.stdout).toMatch(/ok +all chunks were checked, the last time on [-\d]+ [:\d]+ UTC: 2 chunks/);
});

test("a damaged chunk is put aside, and the object that it hurts is named, now and until it is put again", async () => {
  const path = await makeStore("damaged");
  const file = chunkFile(path, 300_000);
  damage(file);
  const scrub = await cli(["scrub", "--path", path]);
  expect(scrub.exitCode, scrub.stdout + scrub.stderr).toBe(7);
  expect(scrub.stdout).toMatch(
    /broken +chunk [0-9a-f]{64} is damaged, and was put aside: block 1 has another checksum/,
  );
  expect(scrub.stdout).toMatch(/broken +box\/hurt: 1 of its chunks is missing/);
  expect(scrub.stdout).not.toContain("box/sound");
  expect(scrub.stdout).toMatch(/checked 2 chunks, .*: 1 damaged\n$/);
  expect(existsSync(file)).toBe(false);
  const again = await cli(["scrub", "--path", path, "--json"]);
  expect(again.exitCode).toBe(7);
  expect(jsonLines(again.stdout)).toMatchObject([
    { level: "broken", what: expect.stringMatching(/^box\/hurt: 1 of its chunks is missing/) },
    { chunkCount: 1, damaged: 0, unreadable: 0, stray: 0, lostCount: 1, endedBy: "end" },
  ]);
  const health = await cli(["health", "--path", path]);
  expect(health.exitCode, health.stdout).toBe(5);
  expect(health.stdout).toMatch(/broken +box\/hurt: 1 of its chunks is missing/);
  await makeStore("damaged");
  expect((await cli(["scrub", "--path", path])).exitCode).toBe(0);
  expect((await cli(["health", "--path", path])).exitCode).toBe(0);
});

test("an entry that does not belong there is a warning", async () => {
  const path = await makeStore("stray");
  const file = chunkFile(path, 200_000);
  copyFileSync(file, join(path, "chunks", "notes.txt"));
  const scrub = await cli(["scrub", "--path", path]);
  expect(scrub.exitCode, scrub.stdout).toBe(0);
  expect(scrub.stdout).toMatch(/warning +chunks\/notes\.txt: no chunk has such a name/);
});

test("a folder without a store, or none at all, is refused, and nothing is made in it", async () => {
  const path = folder.at("nothing");
  expect((await cli(["scrub", "--path", path])).exitCode).toBe(3);
  expect(existsSync(path)).toBe(false);
  expect((await cli(["scrub"])).exitCode).toBe(2);
});

test("it runs beside a server over the same folder, whose own check finds damage too, and says so", {
  timeout: 180_000,
}, async () => {
  const path = await makeStore("served");
  const server = await startServerProcess(["serve", "--path", path, "--port", "0", "--scrub-period", "2s"]);
  try {
    await vi.waitFor(
      async () => {
        const { stdout } = await cli(["health", server.url]);
        expect(stdout).toMatch(/ok +all chunks were checked, the last time on/);
      },
      { timeout: 60_000, interval: 200 },
    );
    const scrub = await cli(["scrub", "--path", path, "--rate", "100MiB"]);
    expect(scrub.exitCode, scrub.stdout + scrub.stderr).toBe(0);
    damage(chunkFile(path, 300_000));
    await vi.waitFor(
      async () => {
        const health = await cli(["health", server.url]);
        expect(health.stdout).toMatch(/broken +1 chunk was damaged on the disk, and there is no other copy/);
        expect(health.exitCode).toBe(5);
        expect(server.log()).toMatch(/"bucket":"box","key":"hurt".*an object has lost chunks/);
      },
      { timeout: 60_000, interval: 200 },
    );
  } finally {
    await server.stop();
  }
});
