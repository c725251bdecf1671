import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cli, cliJson, jsonLines, spawnCli, startCli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

const run = promisify(execFile);
let folder: TempFolder;
beforeEach(async () => {
  folder = await createTempFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const serve = (...more: string[]): string[] => ["serve", "--path", folder.at("store"), "--port", "0", ...more];

describe("ashlar serve", () => {
  test("shows the first credentials once, and keeps only their digest", async () => {
    const first = startCli(serve());
    const [, apiKey = ""] = await first.until(/credentials +(ashlar_\S+)/);
    await first.until(/Ctrl-C stops it/);
    const end = await first.stop();
    expect(end.exitCode).toBe(0);
    expect(end.stderr).not.toContain(apiKey);
    const second = startCli(serve());
    const [, url = ""] = await second.until(/address +(\S+)/);
    await second.until(/Ctrl-C stops it/);
    expect(second.stdout()).not.toContain(apiKey);
    expect(second.stdout()).toContain("shown at the first start");
    const env = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey };
    expect((await cli(["ls"], { env })).exitCode).toBe(0);
    await second.stop();
    const [, secret = ""] = /^ashlar_[0-9a-f]{16}_(.{43})$/.exec(apiKey) ?? [];
    expect(secret).toHaveLength(43);
    for (const name of ["metadata.sqlite", "cluster.key", "format.json"]) {
      expect((await readFile(folder.at("store", name))).includes(secret), name).toBe(false);
    }
  });

  test("keeps the cluster key where only its owner can read it", async () => {
    const server = startCli(serve("--log-level", "silent"));
    await server.until(/address/);
    await server.stop();
    const file = folder.at("store", "cluster.key");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
  });

  test("without access control says so, loudly", async () => {
    const server = startCli(serve("--insecure"));
    await server.until(/credentials +NONE/);
    const [, url = ""] = await server.until(/address +(\S+)/);
    expect((await cli(["mb", "open"], { env: { ASHLAR_GATEWAY: url } })).exitCode).toBe(0);
    const { stderr } = await server.stop();
    expect(stderr).toContain("access control is off");
  });

  test("refuses a port that was asked for and is taken, without using up the only time that the key is shown", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as AddressInfo;
    const fixed = await cli(["serve", "--path", folder.at("store"), "--port", String(port), "--log-level", "silent"]);
    await new Promise((resolve) => blocker.close(resolve));
    expect(fixed.exitCode).toBe(2);
    expect(fixed.stderr).toContain("--port");
    const server = startCli(serve("--log-level", "silent"));
    await server.until(/credentials +ashlar_/);
    await server.stop();
  });

  test("takes the next free port where nothing was asked for, and says so", async () => {
    const blocker = createServer();
    // The port is taken, by this test or by another process.
    await new Promise<void>((resolve) => blocker.once("error", () => resolve()).listen(9000, "127.0.0.1", resolve));
    const server = startCli(["serve", "--path", folder.at("store"), "--log-level", "silent"]);
    const [, port] = await server.until(/address +http:\/\/127\.0\.0\.1:(\d+)/);
    expect(Number(port)).toBeGreaterThan(9000);
    expect(server.stdout()).toContain("port 9000");
    await server.stop();
    await new Promise((resolve) => blocker.close(resolve));
  });

  test("tells the same as JSON", async () => {
    const server = startCli(serve("--json", "--log-level", "silent"));
    await server.until(/\n/);
    const [facts] = jsonLines<Record<string, unknown>>(server.stdout());
    expect(facts).toMatchObject({ insecure: false, takenPorts: [], path: folder.at("store") });
    expect(facts?.apiKey).toMatch(/^ashlar_/);
    await server.stop();
  });

  test("refuses half a certificate, and serves TLS with a whole one", async () => {
    expect((await cli(serve("--tls-cert", "/nowhere"))).exitCode).toBe(2);
    expect((await cli(serve("--tls-cert", "/nowhere", "--tls-key", "/nowhere"))).exitCode).toBe(2);
    const [certificate, key] = [folder.at("cert.pem"), folder.at("key.pem")];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    await run("openssl", [
      "req",
      "-x509",
      "-nodes",
      "-days",
      "1",
      ...ec,
      ...names,
      "-keyout",
      key,
      "-out",
      certificate,
    ]);
    const server = startCli(serve("--tls-cert", certificate, "--tls-key", key, "--log-level", "silent"));
    const [, url = ""] = await server.until(/address +(https:\S+)/);
    const ca = await readFile(certificate);
    const status = await new Promise((resolve, reject) => {
      get(`${url}/readyz`, { ca }, (answer) => resolve(answer.resume().statusCode)).on("error", reject);
    });
    expect(status).toBe(200);
    await server.stop();
  });

  test("names flag and file of an invalid certificate", async () => {
    const text = folder.at("text");
    await writeFile(text, "hello");
    const end = await cli(serve("--tls-cert", text, "--tls-key", text));
    expect([end.exitCode, end.stderr]).toEqual([
      2,
      expect.stringContaining(`--tls-cert: ${text} holds no certificate`),
    ]);
  });

  test.each([
    ["http://localhost:5173/", "write http://localhost:5173"],
    ["localhost:5173", "write http://localhost:5173"],
    ["HTTPS://App.Example:443", "write https://app.example"],
    ["https://app.example/page", "write https://app.example"],
    ["nonsense", "such as https://app.example"],
    ["https://app.example,nonsense", "such as https://app.example"],
  ])("refuses %s as an origin, which no browser sends, and tells what to write", async (origins, told) => {
    for (const end of [
      await cli(serve("--cors-origins", origins)),
      await cli(serve(), { env: { CORS_ORIGINS: origins } }),
    ])
      expect([end.exitCode, end.stderr]).toEqual([2, expect.stringContaining(told)]);
  });

  test("ends in order on SIGTERM, as a process", async () => {
    const server = spawnCli(serve());
    const [, url = ""] = await server.until(/address +(\S+)/);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const end = await server.stop();
    expect(end.exitCode, end.stderr).toBe(0);
    expect(jsonLines<{ msg: string }>(end.stderr).at(-1)?.msg).toBe("stopped");
    await expect(fetch(`${url}/readyz`)).rejects.toThrow();
  });

  test("answers a folder of a newer release with STORE_INCOMPATIBLE", async () => {
    const first = startCli(serve("--log-level", "silent"));
    await first.until(/address/);
    await first.stop();
    const format = folder.at("store", "format.json");
    const text = (await readFile(format, "utf8")).replace(/"(formatVersion|version)": ?1/, '"$1": 999');
    await writeFile(format, text);
    const refused = await cli(serve("--log-level", "silent"));
    expect(refused.exitCode, refused.stderr).toBe(6);
    expect(refused.stderr).toContain("STORE_INCOMPATIBLE");
  });
});

describe("ashlar key", () => {
  test("makes, lists and deletes keys; roles are enforced", async () => {
    const path = folder.at("store");
    const server = startCli(serve("--log-level", "silent"));
    const [, url = ""] = await server.until(/address +(\S+)/);
    await server.until(/credentials/);
    const [made] = await cliJson<{ apiKey: string; keyId: string; role: string }>([
      "key",
      "create",
      "--name",
      "reader",
      "--role",
      "readonly",
      "--path",
      path,
    ]);
    expect(made).toMatchObject({ role: "readonly", apiKey: expect.stringMatching(/^ashlar_[0-9a-f]{16}_/) });
    const env = { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: made?.apiKey };
    expect((await cli(["ls"], { env })).exitCode).toBe(0);
    expect((await cli(["mb", "box"], { env })).exitCode).toBe(4);
    const list = await cli(["key", "ls", "--path", path]);
    expect(list.stdout).toContain("reader");
    expect(list.stdout).not.toContain(made?.apiKey);
    expect(await cliJson(["key", "ls", "--path", path])).toHaveLength(2);
    expect((await cli(["key", "rm", made?.apiKey ?? "", "--path", path])).stdout).toBe(`deleted ${made?.keyId}\n`);
    expect(await cliJson(["key", "ls", "--path", path])).toHaveLength(1);
    expect((await cli(["key", "rm", "0011223344556677", "--path", path])).exitCode).toBe(2);
    expect((await cli(["key", "create", "--role", "king", "--path", path])).exitCode).toBe(2);
    expect((await cli(["key", "create"])).exitCode).toBe(2);
    await server.stop();
  });
});

describe("ashlar node", () => {
  test.each([
    ["--public-url", "--gateway", "http://127.0.0.1:1"],
    ["--gateway", "--public-url", "http://127.0.0.1:1"],
  ])("is refused with a password in %s, before it makes or registers anything", async (flag, other, good) => {
    const argv = ["node", "--server-id", "n1", "--data-dir", folder.at("n1"), "--port", "0", other, good];
    const node = await cli([...argv, flag, "http://user:pa55word@127.0.0.1:1"], {
      env: { CLUSTER_KEY: "k".repeat(32) },
    });
    expect(node.exitCode).toBe(2);
    expect(node.stdout + node.stderr).not.toContain("pa55word");
    expect(existsSync(folder.at("n1"))).toBe(false);
  });

  test("ends with exit code 2 when the gateway refuses its registration as illegal", async () => {
    const server = startCli(serve("--insecure"));
    const [, url = ""] = await server.until(/address +(\S+)/);
    const argv = ["node", "--server-id", "n1", "--data-dir", folder.at("n1"), "--port", "0", "--insecure"];
    const node = await cli([...argv, "--gateway", url, "--zone", "not a zone"]);
    expect([node.exitCode, node.stderr]).toEqual([2, expect.stringContaining("a zone is")]);
    await server.stop();
  });
});
