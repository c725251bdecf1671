import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { embedded } from "@ashlar/adapters/embedded";
import { createClient, MIB } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, cliJson, type RunningCli } from "../support/cli.ts";
import { expectCode } from "../support/expect-code.ts";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

const TRANSPORTS = ["undici", "http", "connect", "grpc-web", "grpc", "grpc-js"] as const;

/** Where the commands go, as flags and environment. */
interface Place {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface ObjectJson {
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly contentType?: string;
  readonly metadata?: Record<string, string>;
}

let folder: TempFolder;
let server: RunningCli;
let file: string;
const bytes = testBytes(700_000, 7);
const places = new Map<string, Place>();

beforeAll(async () => {
  folder = await createTempFolder();
  file = folder.at("input.txt");
  writeFileSync(file, bytes);
  const served = await startServedStore(folder);
  server = served.server;
  places.set("the embedded seat", { flags: ["--path", folder.at("embedded")], env: {} });
  for (const transport of TRANSPORTS) {
    places.set(`the gateway seat over ${transport}`, {
      flags: ["--transport", transport],
      env: { ASHLAR_GATEWAY: served.url, ASHLAR_API_KEY: served.apiKey },
    });
  }
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

describe.each(["the embedded seat", ...TRANSPORTS.map((name) => `the gateway seat over ${name}`)])("in %s", (name) => {
  const bucket = `b-${name.split(" ").at(-1)}`;
  const run = (...argv: string[]): ReturnType<typeof cli> => {
    const { flags, env } = places.get(name)!;
    return cli([...argv, ...flags], { env });
  };
  const json = <Value>(...argv: string[]): Promise<Value[]> => {
    const { flags, env } = places.get(name)!;
    return cliJson<Value>([...argv, ...flags], { env });
  };

  test("mb, put, ls, head, get, cp, rm and rb do what they say", async () => {
    expect(await run("mb", bucket)).toMatchObject({ exitCode: 0, stdout: `made ${bucket}\n` });
    const [put] = await json<ObjectJson>("put", file, `${bucket}/a/`, "--metadata", "owner=me, note=x=y");
    const digest = createHash("sha256").update(bytes).digest("hex");
    expect(put).toMatchObject({ key: "a/input.txt", sizeBytes: bytes.byteLength, sha256: digest, chunkCount: 1 });
    expect(await json("ls", bucket)).toEqual([{ type: "prefix", prefix: "a/" }]);
    expect(await json("ls", "-r", `${bucket}/a`)).toMatchObject([{ type: "object", key: "a/input.txt" }]);
    const [head] = await json<ObjectJson>("head", `${bucket}/a/input.txt`);
    expect(head).toMatchObject({
      contentType: "text/plain; charset=utf-8",
      metadata: { owner: "me", note: "x=y" },
    });
    const out = folder.at(`${bucket}.out`);
    expect(await run("get", `${bucket}/a/input.txt`, out)).toMatchObject({ exitCode: 0 });
    expect(createHash("sha256").update(readFileSync(out)).digest("hex")).toBe(digest);
    expect((await run("cp", `${bucket}/a/input.txt`, `${bucket}/b/`)).stdout).toContain(`${bucket}/b/input.txt`);
    expect((await run("rb", bucket)).exitCode).toBe(6);
    expect((await run("rm", `${bucket}/b/input.txt`)).stdout).toBe("deleted 1 object\n");
    expect((await run("rm", "-r", bucket, "--yes")).stdout).toBe("deleted 1 object\n");
    expect(await run("rb", bucket)).toMatchObject({ exitCode: 0, stdout: `removed ${bucket}\n` });
    expect((await run("ls", bucket)).exitCode).toBe(3);
  });
});

describe("put and get", () => {
  const env = (): Readonly<Record<string, string>> => ({ ASHLAR_PATH: folder.at("embedded") });

  test("pass standard input and standard output through, of any length", async () => {
    const input = Array.from({ length: 50 }, (_, index) => testBytes(100_000, index));
    const put = await cli(["put", "-", "pipe/in", "--create-bucket", "--chunk-bytes", "1MiB"], { env: env(), input });
    expect(put.stdout).toMatch(/pipe\/in {2}4\.8 MiB .* 5 chunks, 1 copy, strict/);
    const get = await cli(["get", "pipe/in", "-"], { env: env() });
    expect(get.stdoutBytes.equals(Buffer.concat(input))).toBe(true);
    expect(get.stderr).toBe("");
  });

  test("take ranges: both ends, open, from the end", async () => {
    await cli(["put", "-", "pipe/digits", "--create-bucket"], { env: env(), input: "0123456789" });
    const range = async (text: string): Promise<string> =>
      (await cli(["get", "pipe/digits", "-", "--range", text], { env: env() })).stdout;
    expect([await range("2-4"), await range("7-"), await range("-2"), await range("8-99")]).toEqual([
      "234",
      "789",
      "89",
      "89",
    ]);
    expect((await cli(["get", "pipe/digits", "-", "--range", "4-2"], { env: env() })).exitCode).toBe(2);
    expect((await cli(["get", "pipe/digits", "-", "--range", "10-"], { env: env() })).exitCode).toBe(2);
  });

  test("obey conditions", async () => {
    const options = { env: env(), input: "x" };
    await cli(["put", "-", "pipe/once", "--create-bucket"], options);
    expect((await cli(["put", "-", "pipe/once", "--if-none-match", "*"], options)).exitCode).toBe(6);
    const [head] = await cliJson<{ etag: string }>(["head", "pipe/once"], { env: env() });
    expect((await cli(["put", "-", "pipe/once", "--if-match", "other"], options)).exitCode).toBe(6);
    expect((await cli(["put", "-", "pipe/once", "--if-match", head?.etag ?? ""], options)).exitCode).toBe(0);
  });

  test("--json with bytes on standard output tells about them on standard error", async () => {
    await cli(["put", "-", "pipe/json.json", "--create-bucket"], { env: env(), input: "{}" });
    const get = await cli(["get", "pipe/json.json", "-", "--json"], { env: env() });
    expect(get.stdout).toBe("{}");
    expect(JSON.parse(get.stderr)).toMatchObject({
      key: "json.json",
      length: 2,
      contentType: "application/json",
    });
  });

  test("get writes into a folder under the key's last part, and refuses keys that name no file", async () => {
    await cli(["put", "-", "pipe/deep/name.txt", "--create-bucket"], { env: env(), input: "deep" });
    await cli(["put", "-", "pipe/deep/..", "--create-bucket"], { env: env(), input: "up" });
    mkdirSync(folder.at("target"));
    expect((await cli(["get", "pipe/deep/name.txt", folder.at("target")], { env: env() })).exitCode).toBe(0);
    expect(readFileSync(folder.at("target", "name.txt"), "utf8")).toBe("deep");
    expect((await cli(["get", "pipe/deep/..", folder.at("target")], { env: env() })).exitCode).toBe(2);
  });

  test("--quiet says nothing", async () => {
    const put = await cli(["put", "-", "pipe/quiet", "--create-bucket", "-q"], { env: env(), input: "x" });
    expect([put.exitCode, put.stdout, put.stderr]).toEqual([0, "", ""]);
  });

  test("a flag for a seat wins over the variables of the others", async () => {
    const run = await cli(["ls", "--path", folder.at("embedded")], {
      env: { ASHLAR_GATEWAY: "http://127.0.0.1:1", ASHLAR_DIRECT: "http://127.0.0.1:1" },
    });
    expect(run.exitCode).toBe(0);
  });
});

describe("ls", () => {
  test("shows buckets, stops at --limit, and says when there is nothing", async () => {
    const env = { ASHLAR_PATH: folder.at("listing") };
    await cli(["mb", "one"], { env });
    await cli(["rb", "one"], { env });
    expect((await cli(["ls"], { env })).stderr).toContain("no buckets yet");
    await cli(["mb", "one"], { env });
    await cli(["mb", "two"], { env });
    expect(await cliJson<{ bucket: string }>(["ls"], { env })).toMatchObject([{ bucket: "one" }, { bucket: "two" }]);
    expect((await cli(["ls", "one"], { env })).stderr).toContain("one is empty");
    for (const key of ["a", "b", "c"]) await cli(["put", "-", `one/${key}`], { env, input: key });
    expect(await cliJson(["ls", "one", "--limit", "2"], { env })).toMatchObject([{ key: "a" }, { key: "b" }]);
    expect((await cli(["ls", "one"], { env })).stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +1 B {2}a$/m);
    expect((await cli(["ls", "one/zzz"], { env })).stderr).toContain("begins with zzz");
  });
});

describe("collect and health of a folder", () => {
  test("free what was deleted, and look at disk and database", async () => {
    const path = folder.at("collected");
    const input = testBytes(300_000, 3);
    await cli(["put", "-", "box/gone", "--create-bucket", "--path", path], { input });
    await cli(["rm", "box/gone", "--path", path]);
    const kept = await cliJson<Record<string, number>>(["collect", "--path", path]);
    expect(kept[0]).toMatchObject({ chunksDeleted: 0 });
    // Its claim keeps it, and the row's time starts again. The command that the output names frees it all the same.
    const told = (await cli(["collect", "--path", path, "--grace", "0"])).stdout;
    expect(told).toContain("1 not freed yet");
    const [, remedy = ""] = /ashlar (collect .+)/.exec(told) ?? [];
    const freed = await cliJson<Record<string, number>>([...remedy.split(" "), "--path", path]);
    expect(freed[0]).toMatchObject({ chunksDeleted: 1, chunksKept: 0 });
    const health = await cli(["health", "--path", path]);
    expect(health.exitCode, health.stdout).toBe(0);
    expect(health.stdout).toMatch(/ok +0 chunks, 0 B/);
    expect((await cli(["health", "--path", folder.at("nothing")])).exitCode).toBe(5);
  });

  test("collect reports what a failed upload left, and how to free it", async () => {
    const path = folder.at("failed");
    await cli(["mb", "box", "--path", path]);
    await using client = createClient(embedded({ path }));
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield testBytes(5 * MIB);
      await expect.poll(async () => (await client.collect()).orphansKept).toBe(1);
      throw new Error("the disk of the source is broken");
    }
    await expectCode(client.putObject({ bucket: "box", key: "x", body: broken() }), "INVALID_ARGUMENT");
    const [kept] = await cliJson<Record<string, number>>(["collect", "--path", path]);
    expect(kept).toMatchObject({ orphansDeleted: 0, orphansKept: 1 });
    const told = (await cli(["collect", "--path", path])).stdout;
    expect(told).toMatch(/freed 0 chunks .* 1 not freed yet/);
    const [, remedy = ""] = /ashlar (collect --claim-ttl 0s)/.exec(told) ?? [];
    const [freed] = await cliJson<Record<string, number>>([...remedy.split(" "), "--path", path]);
    expect(freed).toMatchObject({ orphansDeleted: 1, orphansKept: 0 });
    expect((await cli(["collect", "--path", path])).stdout).not.toContain("--claim-ttl");
  });

  test("health of a folder reports damaged chunks that were put aside, and chunks that are gone", async () => {
    const path = folder.at("hurt");
    await cli(["put", "-", "box/big", "--create-bucket", "--path", path], { input: testBytes(300_000, 4) });
    expect((await cli(["health", "--path", path])).exitCode).toBe(0);
    mkdirSync(join(path, "quarantine"));
    writeFileSync(join(path, "quarantine", `${"a".repeat(64)}-x`), "damaged");
    const damaged = await cli(["health", "--path", path]);
    expect(damaged.stdout).toMatch(/warning +1 damaged chunk was put aside/);
    // No object needs this one.
    expect(damaged.exitCode).toBe(0);
    expect(damaged.stdout).toMatch(/do: +check the disk; delete the files/);
    const chunks = readdirSync(join(path, "chunks"), { recursive: true, encoding: "utf8" });
    const [needed] = chunks.filter((name) => /[0-9a-f]{64}$/.test(name));
    renameSync(join(path, "chunks", needed!), join(path, "quarantine", `${basename(needed!)}-x`));
    const hurt = await cli(["health", "--path", path]);
    expect(hurt.exitCode).toBe(5);
    expect(hurt.stdout).toMatch(/broken +box\/big: 1 of its chunks is missing[\s\S]*do: +put the object again/);
    rmSync(join(path, "chunks"), { recursive: true });
    const gone = await cli(["health", "--path", path]);
    expect(gone.exitCode).toBe(5);
    expect(gone.stdout).toContain("the chunks folder is missing");
  });
});
