import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeNodeFolder } from "./node-folder.ts";

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ashlar-node-folder-"));
  path = join(root, "data");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const refusal = (code: string): unknown => expect.objectContaining({ code });

test("a folder is made, marked, and free again after its node has closed", async () => {
  (await takeNodeFolder(path, "n1")).release();
  const marker = readFileSync(join(path, "server.json"), "utf8");
  const folderId = expect.stringMatching(/^[0-9a-f]{32}$/);
  expect(JSON.parse(marker)).toEqual({ format: "ashlar-node-folder", formatVersion: 1, serverId: "n1", folderId });
  (await takeNodeFolder(path, "n1")).release();
  expect(readFileSync(join(path, "server.json"), "utf8")).toBe(marker);
});

test("its id stays with it, also in a copy; another folder of the same node has another id", async () => {
  const idOf = async (folder: string): Promise<string> => {
    using taken = await takeNodeFolder(folder, "n1");
    return taken.folderId;
  };
  const first = await idOf(path);
  expect(await idOf(path)).toBe(first);
  cpSync(path, `${path}-copy`, { recursive: true });
  expect(await idOf(`${path}-copy`)).toBe(first);
  expect(await idOf(`${path}-new`)).not.toBe(first);
});

test("a server.json of an earlier release gets an id, which stays", async () => {
  mkdirSync(path);
  const marker = { format: "ashlar-node-folder", formatVersion: 1, serverId: "n1" };
  writeFileSync(join(path, "server.json"), JSON.stringify(marker));
  const { folderId, release } = await takeNodeFolder(path, "n1");
  release();
  expect(JSON.parse(readFileSync(join(path, "server.json"), "utf8"))).toEqual({ ...marker, folderId });
  using again = await takeNodeFolder(path, "n1");
  expect(again.folderId).toBe(folderId);
});

test("only one process at a time has it, under any id", async () => {
  using _first = await takeNodeFolder(path, "n1");
  await expect(takeNodeFolder(path, "n1")).rejects.toThrow(/\(n1\) runs in .* already/);
  await expect(takeNodeFolder(path, "n2")).rejects.toEqual(refusal("PRECONDITION_FAILED"));
});

test("it stays with its node: another one gets an error that names the owner, and does not keep the lock", async () => {
  (await takeNodeFolder(path, "n1")).release();
  await expect(takeNodeFolder(path, "n2")).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
    details: { nodeId: "n1" },
  });
  (await takeNodeFolder(path, "n1")).release();
});

test("a folder of an earlier release, with chunks and without server.json, becomes the node's", async () => {
  mkdirSync(join(path, "chunks"), { recursive: true });
  writeFileSync(join(path, "format.json"), '{"format":"ashlar-chunk-store","formatVersion":1}\n');
  (await takeNodeFolder(path, "n1")).release();
  await expect(takeNodeFolder(path, "n2")).rejects.toEqual(refusal("PRECONDITION_FAILED"));
});

test.each([["half a fi"], ["{}"], ['{"format":"ashlar-node-folder","formatVersion":2,"serverId":"n1"}']])(
  "a server.json that is %s is left alone",
  async (text) => {
    mkdirSync(path);
    writeFileSync(join(path, "server.json"), text);
    await expect(takeNodeFolder(path, "n1")).rejects.toEqual(refusal("STORE_INCOMPATIBLE"));
    expect(readFileSync(join(path, "server.json"), "utf8")).toBe(text);
  },
);

test("a bad id makes no folder, and a file is no folder", async () => {
  await expect(takeNodeFolder(path, "n 1")).rejects.toEqual(refusal("INVALID_ARGUMENT"));
  writeFileSync(path, "");
  await expect(takeNodeFolder(path, "n1")).rejects.toEqual(refusal("INVALID_ARGUMENT"));
});
