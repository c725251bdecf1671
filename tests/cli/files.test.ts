import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND, CLI_MAIN } from "../support/ashlar-program.ts";
import { type CliResult, cli, cliJson, spawnCli, startCli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

let folder: TempFolder;
let env: Readonly<Record<string, string>>;
beforeAll(async () => {
  folder = await createTempFolder();
  env = { ASHLAR_PATH: folder.at("store") };
  await cli(["mb", "files"], { env });
});
afterAll(() => folder[Symbol.asyncDispose]());

const contentOf = async (key: string): Promise<string> => (await cli(["get", `files/${key}`, "-"], { env })).stdout;

describe.skipIf(process.platform === "win32")("put of a file that", () => {
  test("is a socket says so, in words or as JSON", async () => {
    const socket = createServer().listen(folder.at("sock"));
    await once(socket, "listening");
    for (const flags of [[], ["--json"]]) {
      const put = await spawnCli(["put", folder.at("sock"), "files/sock", ...flags], { env }).ended;
      expect(put.exitCode, put.stderr).toBe(2);
      expect(put.stderr).toContain("sock");
      expect(put.stderr.startsWith("{")).toBe(flags.length > 0);
    }
    socket.close();
  });

  test.skipIf(process.getuid?.() === 0)("may not be read says so", async () => {
    writeFileSync(folder.at("secret"), "x");
    chmodSync(folder.at("secret"), 0);
    const put = await cli(["put", folder.at("secret"), "files/secret"], { env });
    expect([put.exitCode, put.stderr]).toEqual([2, expect.stringContaining("may not be used by you")]);
  });

  test("is a circular link, or has a name that is too long, says so", async () => {
    symlinkSync("circle", folder.at("circle"));
    for (const name of ["circle", "x".repeat(256)]) {
      const put = await cli(["put", folder.at(name), "files/x"], { env });
      expect([put.exitCode, put.stderr]).toEqual([2, expect.stringContaining(name)]);
    }
  });

  test.runIf(process.platform === "linux")("the kernel generates while it is read is read to its end", async () => {
    expect((await cli(["put", "/proc/self/status", "files/status"], { env })).exitCode).toBe(0);
    expect(await contentOf("status")).toContain("Pid:");
    const sysfs = ["/sys/kernel/mm/transparent_hugepage/enabled", "/sys/kernel/profiling", "/sys/power/state"];
    for (const file of sysfs.filter((candidate) => existsSync(candidate))) {
      expect((await cli(["put", file, "files/sys"], { env })).exitCode, file).toBe(0);
      expect(await contentOf("sys")).toBe(readFileSync(file, "utf8"));
    }
  });

  test("is a pipe is read to its end", async () => {
    execFileSync("mkfifo", [folder.at("pipe")]);
    const put = spawnCli(["put", folder.at("pipe"), "files/pipe"], { env });
    writeFileSync(folder.at("pipe"), "through a pipe");
    expect((await put.ended).exitCode).toBe(0);
    expect(await contentOf("pipe")).toBe("through a pipe");
  });

  test("grows meanwhile stores what was there at the start, and says so", async () => {
    const put = await putWhile("log", (file) => appendFileSync(file, "more"));
    expect([put.exitCode, put.stderr]).toEqual([0, expect.stringContaining("grew while it was read")]);
    const [head] = await cliJson<{ sizeBytes: number }>(["head", "files/log", "--path", folder.at("served")]);
    expect(head?.sizeBytes).toBe(SIZE);
  });

  test("becomes shorter meanwhile is refused, and nothing is stored", async () => {
    const put = await putWhile("short", (file) => truncateSync(file, 10));
    expect([put.exitCode, put.stderr]).toEqual([2, expect.stringContaining("became shorter")]);
    expect((await cli(["head", "files/short", "--path", folder.at("served")])).exitCode).toBe(3);
  });
});

/** More than fits into the buffers between a client and a server that does not read. */
const SIZE = 48 * 1024 * 1024;

/** Changes a file when a put of it has begun, but cannot have read its last bytes: the server is reached only after the change. */
async function putWhile(key: string, change: (file: string) => void): Promise<CliResult> {
  const file = folder.at(key);
  writeFileSync(file, Buffer.alloc(SIZE, "a"));
  const server = startCli([
    "serve",
    "--path",
    folder.at("served"),
    "--port",
    "0",
    "--insecure",
    "--log-level",
    "silent",
  ]);
  const [, url = ""] = await server.until(/address +(\S+)/);
  const proxy = createServer((socket) => {
    change(file);
    const upstream = connect(Number(new URL(url).port), "127.0.0.1");
    upstream.on("error", () => {});
    socket.on("error", () => {});
    socket.pipe(upstream).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = proxy.address() as AddressInfo;
  try {
    const gateway = { ASHLAR_GATEWAY: `http://127.0.0.1:${port}` };
    await cli(["mb", "files", "--path", folder.at("served")]);
    return await cli(["put", file, `files/${key}`, "--chunk-bytes", "1MiB"], { env: gateway });
  } finally {
    proxy.close();
    await server.stop();
  }
}

describe("get", () => {
  test("of a key as long as file names may be writes that file", async () => {
    mkdirSync(folder.at("long"));
    for (const length of [250, 255]) {
      const name = "x".repeat(length);
      await cli(["put", "-", `files/${name}`], { env, input: "long" });
      expect((await cli(["get", `files/${name}`, folder.at("long")], { env })).exitCode).toBe(0);
      expect(readFileSync(folder.at("long", name), "utf8")).toBe("long");
    }
    const tooLong = `files/${"x".repeat(256)}`;
    await cli(["put", "-", tooLong], { env, input: "long" });
    expect((await cli(["get", tooLong, folder.at("long")], { env })).exitCode).toBe(2);
    expect((await cli(["get", tooLong, folder.at("long", "y".repeat(256))], { env })).exitCode).toBe(2);
  });

  test.skipIf(process.platform === "win32")(
    "onto a link writes through it, but into a folder that has a link of the key's name is refused",
    async () => {
      mkdirSync(folder.at("links"));
      writeFileSync(folder.at("links", "real"), "old");
      symlinkSync("real", folder.at("links", "config"));
      await cli(["put", "-", "files/config"], { env, input: "new" });
      const intoFolder = await cli(["get", "files/config", folder.at("links")], { env });
      expect([intoFolder.exitCode, intoFolder.stderr]).toEqual([2, expect.stringContaining("symbolic link")]);
      expect(readFileSync(folder.at("links", "real"), "utf8")).toBe("old");
      expect((await cli(["get", "files/config", folder.at("links", "config")], { env })).exitCode).toBe(0);
      expect(readFileSync(folder.at("links", "real"), "utf8")).toBe("new");
    },
  );
});

describe.runIf(existsSync("/dev/full"))("standard output that is full", () => {
  const full = (command: string): { readonly status: number | null; readonly stderr: string } => {
    const program = ASHLAR_COMMAND.map((word) => `'${word}'`).join(" ");
    return spawnSync("sh", ["-c", `${program} ${command} > /dev/full`], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, ...env },
    });
  };
  test.each(["ls files", "ls", "get files/status -", "head files --json", "--help", "du"])(
    "ends %s with exit code 5",
    async (command) => {
      await cli(["put", "-", "files/status"], { env, input: "x" });
      const { status, stderr } = full(command);
      expect(status, stderr).toBe(5);
      expect(stderr).toContain("DISK_FULL");
      expect(stderr).not.toMatch(/should not have happened|collect/);
    },
  );
  test("get into a full device says so", async () => {
    const get = await cli(["get", "files/status", "/dev/full"], { env });
    expect([get.exitCode, get.stderr]).toEqual([5, expect.stringContaining("/dev/full")]);
  });
});

test("JSON of a put tells no change of a file that did not change", async () => {
  const [put] = await cliJson<{ fileChange?: string; sizeBytes: number }>(["put", CLI_MAIN, "files/main"], { env });
  expect(put?.fileChange).toBeUndefined();
  expect(put?.sizeBytes).toBe(readFileSync(CLI_MAIN).byteLength);
});
