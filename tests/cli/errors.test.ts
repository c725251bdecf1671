import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { ERROR_CODES, type ErrorCode } from "@ashlar/sdk/errors";
import { EXIT_CODES, exitCodeOf } from "@ashlar/server/cli";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, type RunningCli, startCli } from "../support/cli.ts";
import { unusedPort } from "../support/free-ports.ts";
import { startServedStore } from "../support/served-store.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

let folder: TempFolder;
let server: RunningCli;
let url: string;
let apiKey: string;

beforeAll(async () => {
  folder = await createTempFolder();
  ({ server, url, apiKey } = await startServedStore(folder));
  await cli(["put", "-", "photos/2026/cat.jpg", "--create-bucket"], { env: environment(), input: "cat" });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const environment = (): Readonly<Record<string, string>> => ({ ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey });

describe("exit codes", () => {
  test("are derived from the error table: every code has one that is documented", () => {
    const documented = new Set<number>(Object.values(EXIT_CODES).map(({ value }) => value));
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      expect(documented, code).toContain(exitCodeOf(code));
      expect(exitCodeOf(code), code).not.toBe(0);
    }
  });

  test.each([
    ["an object that is not there", ["head", "photos/none"], 3],
    ["a bucket that is not there", ["ls", "nothing-here"], 3],
    ["rm of what is not there", ["rm", "photos/none"], 3],
    ["rm -f of what is not there", ["rm", "-f", "photos/none"], 0],
    ["an invalid bucket name", ["mb", "UPPER"], 2],
    ["a bucket that exists", ["mb", "photos"], 6],
    ["a bucket with objects in it", ["rb", "photos"], 6],
    ["an unknown command", ["putt", "a", "b"], 2],
    ["help for an unknown command", ["help", "putt"], 2],
    ["help for an unknown command of a group", ["help", "key", "nope"], 2],
    ["help for a command", ["help", "put"], 0],
    ["help for a command of a group", ["help", "key", "create"], 0],
    ["help alone", ["help"], 0],
    ["an empty file", ["put", "", "photos/x"], 2],
    ["an empty object", ["get", ""], 2],
    ["an empty one of several arguments", ["rm", "photos/none", ""], 2],
    ["an unknown option", ["ls", "--recursiv"], 2],
    ["a missing argument", ["put", "only-one"], 2],
    ["too many arguments", ["ls", "a", "b"], 2],
    ["a file that is not there", ["put", "/nowhere/at-all", "photos/"], 2],
    ["a folder", ["put", "/", "photos/root"], 2],
    ["standard input without a key", ["put", "-", "photos"], 2],
    ["an object address without a key", ["get", "photos"], 2],
    ["a bucket address with a key", ["mb", "photos/key"], 2],
    ["an invalid number", ["put", "-", "photos/x", "--concurrency", "many"], 2],
    ["an invalid size", ["put", "-", "photos/x", "--chunk-bytes", "4 potatoes"], 2],
    ["a chunk size out of bounds", ["put", "-", "photos/x", "--chunk-bytes", "1"], 2],
    ["an unknown transport", ["ls", "--transport", "pigeon"], 2],
    ["metadata without a value", ["put", "-", "photos/x", "--metadata", "name"], 2],
    ["two seats at once", ["ls", "--path", "x", "--gateway", "http://127.0.0.1:1"], 2],
    ["an invalid URL", ["ls", "--gateway", "somewhere"], 2],
    ["an empty path", ["ls", "--path", ""], 2],
    ["a folder that no store can be in", ["ls", "--path", "/proc/x"], 3],
    ["a URL without its scheme", ["health", "localhost:9000"], 2],
    ["a target that cannot be written", ["get", "photos/2026/cat.jpg", "/proc/no/file"], 2],
    ["collect without a folder", ["collect"], 2],
    ["a layout change without a change", ["layout"], 2],
    ["an invalid weight", ["layout", "--weights", "n1"], 2],
    ["an unknown node in a layout change", ["layout", "--remove", "n1"], 3],
    ["help", ["--help"], 0],
    ["help of a command", ["help", "put"], 0],
    ["the version", ["--version"], 0],
    ["nothing at all", [], 2],
    ["a group without its command", ["key"], 2],
  ])("of %s", async (_what, argv, exitCode) => {
    const run = await cli(argv, { env: environment() });
    expect(run.exitCode, run.stderr + run.stdout).toBe(exitCode);
    if (exitCode !== 0) expect(run.stderr).not.toBe("");
    expect(run.stderr).not.toMatch(/\n\s+at /);
  });

  test("of credentials that are missing, wrong or too weak is 4", async () => {
    const missing = await cli(["ls"], { env: { ASHLAR_GATEWAY: url } });
    const wrong = await cli(["ls"], { env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: `${apiKey}x` } });
    const key = await cli(["key", "create", "--role", "readonly", "--path", folder.at("served")]);
    const weak = await cli(["mb", "more"], { env: { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: key.stdout.trim() } });
    expect([missing.exitCode, wrong.exitCode, weak.exitCode]).toEqual([4, 4, 4]);
    expect(missing.stderr).toContain("ASHLAR_API_KEY");
    expect(missing.stderr + wrong.stderr + weak.stderr).not.toContain(apiKey.slice(-20));
  });

  test("of a server that is away is 5, and the message says what to do", async () => {
    const gateway = `http://127.0.0.1:${await unusedPort()}`;
    const run = await cli(["ls", "--gateway", gateway, "--retry-for", "0s"]);
    expect(run.exitCode).toBe(5);
    expect(run.stderr).toContain(`ashlar health ${gateway}`);
    const health = await cli(["health", gateway]);
    expect(health.exitCode).toBe(5);
    expect(health.stdout).toContain("does not answer");
  });

  test("of a deadline that passed is 5", async () => {
    const endless = (function* (): Generator<Uint8Array> {
      for (;;) yield new Uint8Array(65_536);
    })();
    const run = await cli(["put", "-", "photos/endless", "--timeout", "300"], { env: environment(), input: endless });
    expect(run.exitCode, run.stderr).toBe(5);
    expect(run.stderr).toContain("--timeout");
    expect((await cli(["head", "photos/endless"], { env: environment() })).exitCode).toBe(3);
  });
});

describe("messages", () => {
  test("guess what was meant", async () => {
    expect((await cli(["putt"])).stderr).toContain("Did you mean put?");
    expect((await cli(["help", "putt"])).stderr).toMatch(/unknown command 'putt'\n.*Did you mean put\?/);
    expect((await cli(["put", "", "photos/x"])).stderr).toContain("<file> is empty");
    const layout = await cli(["layout", "--replication-factor", "2"], { env: environment() });
    expect([layout.exitCode, layout.stderr]).toEqual([2, expect.stringContaining("there is no storage node here")]);
    expect((await cli(["ls", "photoz"], { env: environment() })).stderr).toContain("did you mean photos?");
    const key = await cli(["get", "photos/2026/cat.jpeg", "-"], { env: environment() });
    expect(key.stderr).toContain("did you mean photos/2026/cat.jpg?");
    expect((await cli(["ls", "something-else"], { env: environment() })).stderr).toContain("ashlar mb something-else");
    writeFileSync(folder.at("local"), "x");
    expect((await cli(["ls"], {})).stderr).toContain("--path <folder>, --gateway <url> or --direct <url>");
  });

  test.each([
    [["ls"]],
    [["ls", "photos"]],
    [["get", "photos/cat", "-"]],
    [["head", "photos/cat"]],
    [["rm", "photos/cat"]],
    [["cp", "photos/cat", "photos/dog"]],
    [["collect"]],
    [["put", "-", "photos/cat"]],
    [["key", "create"]],
    [["key", "ls"]],
    [["key", "rm", "0011223344556677"]],
    [["ring"]],
    [["layout", "--replication-factor", "2"]],
  ])("%s makes no store where there is none, and says how to make one", async (argv) => {
    const path = folder.at("no-store-here");
    const run = await cli([...argv, "--path", path]);
    expect(run.exitCode, run.stderr).toBe(3);
    expect(run.stderr).toContain(`there is no store in ${path}`);
    expect(run.stderr).toContain(`ashlar mb <bucket> --path ${path}`);
    expect(existsSync(path)).toBe(false);
  });

  test.each([[["mb", "photos"]], [["key", "ls"]], [["serve", "--port", "0"]], [["gateway", "--port", "0"]]])(
    "%s says what is wrong with a path that is a file",
    async (argv) => {
      const path = folder.at("a-file");
      writeFileSync(path, "x");
      const run = await cli([...argv, "--path", path], { env: { CLUSTER_KEY: "k".repeat(32) } });
      expect([2, 3], run.stderr).toContain(run.exitCode);
      expect(run.stderr).toContain(path);
      expect(run.stderr).not.toMatch(/INTERNAL|EEXIST/);
    },
  );

  // In /proc, mkdir says ENOENT although the parent folder is there.
  test
    .runIf(process.platform === "linux")
    .each([
      [["mb", "photos", "--path"]],
      [["serve", "--port", "0", "--path"]],
      [["gateway", "--port", "0", "--path"]],
      [["node", "--port", "0", "--server-id", "n1", "--data-dir"]],
      [["cluster", "up", "--path"]],
    ])("%s says so where no folder can be made", async (argv) => {
    const env = {
      // A cluster on one machine makes a key of its own.
      CLUSTER_KEY: argv[0] === "cluster" ? undefined : "k".repeat(32),
      DATABASE_URL: argv[0] === "node" ? "postgres://127.0.0.1:1/x" : undefined,
    };
    const run = await cli([...argv, "/proc/ashlar/store"], { env });
    expect(run.exitCode, run.stderr).toBe(2);
    expect(run.stderr).toContain("/proc/ashlar/store");
    expect(run.stderr).toContain("where no folder can be made");
  });

  test("quote a path with a blank in the commands that they show", async () => {
    const path = folder.at("no store here");
    expect((await cli(["ls", "--path", path])).stderr).toContain(`--path '${path}'`);
    const first = startCli(["serve", "--path", path, "--port", "0", "--log-level", "silent"]);
    await first.until(/credentials/);
    await first.stop();
    const second = startCli(["serve", "--path", path, "--port", "0", "--log-level", "silent"]);
    expect((await second.until(/key create --path (.*)\)/))[1]).toBe(`'${path}'`);
    await second.stop();
  });

  test("say that an etag is given without quotes", async () => {
    const run = await cli(["put", "-", "photos/x", "--if-match", '"abc"'], { env: environment(), input: "x" });
    expect([run.exitCode, run.stderr]).toEqual([2, expect.stringContaining("no quotes")]);
  });

  test("say what helps against damage", async () => {
    const path = folder.at("damaged");
    const argv = ["get", "photos/cat", "-", "--path", path];
    await cli(["put", "-", "photos/cat", "--create-bucket", "--path", path], { input: randomBytes(200_000) });
    const files = readdirSync(join(path, "chunks"), { recursive: true, withFileTypes: true });
    for (const file of files.filter((entry) => entry.isFile())) {
      const name = join(file.parentPath, file.name);
      const bytes = readFileSync(name);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      writeFileSync(name, bytes);
    }
    const corrupt = await cli(argv);
    expect(corrupt.stderr).toContain("CHUNK_CORRUPT");
    expect(corrupt.stderr).toContain("put the same content again to restore it");
    expect(corrupt.stderr).not.toContain("another one");
    for (const name of ["metadata.sqlite", "metadata.sqlite-wal"]) writeFileSync(join(path, name), "x".repeat(10_000));
    const incompatible = await cli(argv);
    expect(incompatible.stderr).toContain("STORE_INCOMPATIBLE");
    expect(incompatible.stderr).toContain("restore it from a backup");
  });

  test("say that token create takes a gateway, not a folder", async () => {
    const { exitCode, stderr } = await cli(["token", "create", "--bucket", "photos"], {
      env: { ASHLAR_PATH: folder.at("store") },
    });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--gateway");
    expect(stderr).not.toContain("--path");
  });

  test("say which folder is missing, not that the file to write is missing", async () => {
    for (const target of ["nodir/", "nodir/file"]) {
      const { exitCode, stderr } = await cli(["get", "photos/2026/cat.jpg", folder.at(target)], { env: environment() });
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`there is no folder ${folder.at("nodir")}`);
    }
  });

  test("say what to do about a port that fetch refuses, and where a database was looked for", async () => {
    expect((await cli(["health", "http://127.0.0.1:9"])).stdout).toContain("on another port");
    const port = await unusedPort();
    const ring = await cli(["ring"], { env: { DATABASE_URL: `postgres://user:pa55word@127.0.0.1:${port}/x` } });
    expect(ring.exitCode).toBe(5);
    expect(ring.stderr).toContain(`at 127.0.0.1:${port} (ECONNREFUSED)`);
    expect(ring.stderr).not.toContain("pa55word");
  });

  test("are one JSON object with --json", async () => {
    const run = await cli(["get", "photos/2026/cat.jpeg", "-", "--json"], { env: environment() });
    expect(run.stdout).toBe("");
    expect(JSON.parse(run.stderr)).toEqual({
      error: {
        code: "OBJECT_NOT_FOUND",
        message: expect.any(String),
        details: { bucket: "photos", key: "2026/cat.jpeg", url },
        retryable: false,
        hint: "did you mean photos/2026/cat.jpg?",
        exitCode: 3,
      },
    });
    const usage = await cli(["putt", "--json"]);
    expect(JSON.parse(usage.stderr)).toMatchObject({ error: { code: "INVALID_ARGUMENT", exitCode: 2 } });
  });

  test("hold a stack and the causes only with --debug", async () => {
    const argv = ["ls", "--gateway", `http://127.0.0.1:${await unusedPort()}`, "--retry-for", "0s"];
    expect((await cli(argv)).stderr).not.toContain("    at ");
    const debug = await cli([...argv, "--debug"]);
    expect(debug.stderr).toContain("    at ");
    expect(debug.stderr).toContain("caused by");
  });

  test("name the variable of a server that has no effect on a whole cluster, and what to do instead", async () => {
    const refused = await cli(["cluster", "up"], { env: { ...environment(), PORT: "9001" } });
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining(
        "PORT has no effect on `cluster up`: unset it; ports are chosen with --gateway-port and --node-port (INVALID_ARGUMENT)",
      ),
    ]);
  });

  test("name the variable that is wrong, and never a secret's value", async () => {
    expect((await cli(["ls"], { env: { ...environment(), ASHLAR_TIMEOUT_MS: "soon" } })).stderr).toContain(
      'ASHLAR_TIMEOUT_MS must be a duration of at least 1ms, such as 500ms, 30s, 5m, 1h or 7d, not "soon"',
    );
    const run = await cli(["gateway"], { env: { DATABASE_URL: "no url but a secret", CLUSTER_KEY: "k".repeat(32) } });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain("DATABASE_URL");
    expect(run.stderr).not.toContain("secret");
  });
});

describe("at a server of another kind", () => {
  let other: Server;
  let otherUrl: string;
  beforeAll(async () => {
    other = createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    otherUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => other.close(resolve)));

  test.each([
    [["ls"]],
    [["rb", "photos"]],
    [["rm", "photos/a"]],
    [["token", "create", "--bucket", "photos"]],
    [["token", "revoke", "eyJ.x"]],
    [["key", "create"]],
    [["key", "ls"]],
    [["layout", "--replication-factor", "3"]],
  ])("%j says so, and what to look at", async (argv) => {
    const env = { ASHLAR_GATEWAY: otherUrl, ASHLAR_API_KEY: "ashlar_0_0" };
    const { exitCode, stdout, stderr } = await cli(argv, { env });
    expect(stderr).toContain(`the server at ${otherUrl} is no Ashlar server`);
    expect(stderr).toContain(`ashlar health ${otherUrl}`);
    expect(stdout).toBe("");
    expect(exitCode).toBe(EXIT_CODES.ERROR.value);
  });
});
