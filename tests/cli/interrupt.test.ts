import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { MIB } from "@ashlar/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, cliJson, type RunningCli, spawnCli } from "../support/cli.ts";
import { startServedStore } from "../support/served-store.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes } from "../support/test-bytes.ts";

let folder: TempFolder;
let server: RunningCli;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await createTempFolder();
  const served = await startServedStore(folder);
  server = served.server;
  env = { ASHLAR_GATEWAY: served.url, ASHLAR_API_KEY: served.apiKey };
  writeFileSync(folder.at("large"), testBytes(64_000_000, 5));
  await cli(["put", folder.at("large"), "box/large", "--create-bucket", "--durability", "os"], { env });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

/** Waits until the server works on a request: a signal before that would find none to wait for. */
async function untilRequestRuns(url: string): Promise<void> {
  const running = async (): Promise<boolean> =>
    /^ashlar_http_requests_running [1-9]/m.test(await (await fetch(`${url}/metrics`)).text());
  await expect.poll(running, { timeout: 20_000 }).toBe(true);
}

/** Feeds a put that never ends until it is known to be moving chunks. */
async function putInProgress(key: string): Promise<ReturnType<typeof spawnCli>> {
  const put = spawnCli(["put", "-", `box/${key}`, "--chunk-bytes", "64KiB"], { env });
  for (let slice = 0; slice < 40; slice++) put.stdin.write(testBytes(65_536, slice));
  const held = async (): Promise<number> => {
    const page = await fetch(`${env.ASHLAR_GATEWAY}/metrics`);
    const text = await page.text();
    return Number(
      text.match(/^ashlar_http_requests_total\{route="\/chunks"[^}]*status="201"[^}]*\} (\d+)$/m)?.[1] ?? 0,
    );
  };
  const before = await held();
  while ((await held()) < before + 5) await new Promise((resolve) => setTimeout(resolve, 50));
  return put;
}

describe("a client command that is interrupted", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("put: %s ends it with %i, at once, and nothing is visible", async (signal, exitCode) => {
    const put = await putInProgress(`never-${signal}`);
    put.kill(signal);
    // Its input never ends: without the signal it would run forever.
    const end = await put.ended;
    expect(end.exitCode, end.stderr).toBe(exitCode);
    expect(end.stderr).toContain("interrupted");
    expect(end.stderr).not.toMatch(/\n\s+at /);
    const keys = await cliJson<{ key: string }>(["ls", "-r", "box"], { env });
    expect(keys.map(({ key }) => key)).toEqual(["large"]);
  });

  test("get leaves no file, and keeps an older one as it was", async () => {
    const target = folder.at("target");
    writeFileSync(target, "the old bytes");
    // Slow enough to be interrupted half way.
    const proxy = await startTcpProxy(env.ASHLAR_GATEWAY);
    proxy.throttle(4 * MIB);
    const get = spawnCli(["get", "box/large", target, "--concurrency", "1"], {
      env: { ...env, ASHLAR_GATEWAY: proxy.url },
    });
    const isWriting = (): boolean => readdirSync(folder.path).some((name) => /^\.ashlar-.*\.tmp$/.test(name));
    while (!isWriting()) await new Promise((resolve) => setTimeout(resolve, 1));
    get.kill("SIGINT");
    const end = await get.ended;
    await proxy.close();
    expect(end.exitCode, end.stderr).toBe(130);
    expect(isWriting()).toBe(false);
    expect(readFileSync(target, "utf8")).toBe("the old bytes");
  });

  test("get whose reader goes away ends quietly", async () => {
    const get = spawnCli(["get", "box/large", "-"], { env });
    await get.until(/./s);
    get.closeStdout();
    const end = await get.ended;
    expect(end.exitCode).toBe(141);
    // A transfer that takes seconds, as on a busy machine, shows its progress, and nothing else.
    expect(end.stderr).toMatch(/^(large +\d+ %.*\n)*$/);
  });

  test("hides its arguments from other users of the machine", async () => {
    const { ASHLAR_API_KEY: apiKey = "", ...rest } = env;
    const put = spawnCli(["put", "-", "box/hidden", "--api-key", apiKey], { env: rest });
    const commandLine = (): string => readFileSync(`/proc/${put.pid}/cmdline`, "utf8");
    await expect.poll(commandLine).not.toContain("--api-key");
    expect(commandLine()).not.toContain(apiKey);
    expect(commandLine()).toContain("ashlar");
    put.kill("SIGINT");
    await put.ended;
  });
});

describe("a server that is stopped", () => {
  test("lets a running upload finish within the grace", async () => {
    const path = folder.at("graceful");
    const graceful = spawnCli(["serve", "--path", path, "--port", "0", "--insecure", "--shutdown-grace", "10000"]);
    const [, url = ""] = await graceful.until(/address +(\S+)/);
    await fetch(`${url}/objects/box`, { method: "PUT" });
    let goOn = (): void => {};
    const stopping = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const slow = new ReadableStream<Uint8Array>({
      async pull(controller) {
        for (let slice = 0; slice < 10; slice++) {
          controller.enqueue(testBytes(10_000, slice));
          // Goes on after the signal.
          if (slice === 5) await stopping;
          else await new Promise((resolve) => setTimeout(resolve, 60));
        }
        controller.close();
      },
    });
    const upload = fetch(`${url}/objects/box/slow`, { method: "PUT", body: slow, duplex: "half" } as RequestInit);
    await untilRequestRuns(url);
    graceful.kill("SIGTERM");
    goOn();
    expect((await upload).status).toBe(200);
    expect((await graceful.ended).exitCode).toBe(0);
    expect(await cliJson(["head", "box/slow", "--path", path])).toMatchObject([{ sizeBytes: 100_000 }]);
  });

  test("ends at once on the second signal", async () => {
    const stubborn = spawnCli([
      "serve",
      "--path",
      folder.at("stubborn"),
      "--port",
      "0",
      "--insecure",
      "--shutdown-grace",
      "60000",
    ]);
    const [, url = ""] = await stubborn.until(/address +(\S+)/);
    await fetch(`${url}/objects/box`, { method: "PUT" });
    const endless = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(10)) });
    const upload = fetch(`${url}/objects/box/endless`, { method: "PUT", body: endless, duplex: "half" } as RequestInit);
    const failed = upload.then(
      () => false,
      () => true,
    );
    await untilRequestRuns(url);
    stubborn.kill("SIGINT");
    // This soon it counts as the same Ctrl-C: npm passes it on to processes that have got it already.
    stubborn.kill("SIGINT");
    const later = (): Promise<string> => new Promise((resolve) => setTimeout(resolve, 800, "it runs"));
    expect(await Promise.race([stubborn.ended, later()])).toBe("it runs");
    // On a busy machine the first signal may have arrived just now. Then this one counts as the same, too.
    do stubborn.kill("SIGINT");
    while ((await Promise.race([stubborn.ended, later()])) === "it runs");
    expect((await stubborn.ended).exitCode).toBe(130);
    expect(await failed).toBe(true);
  });
});
