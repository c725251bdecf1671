import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type BucketHandle, createClient, gateway, MIB } from "@ashlar/sdk";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { testBytes, testStream } from "../support/test-bytes.ts";
import { masked, type RunningExample, readExampleReadme, runExample } from "./run-example.ts";

const [start = "", post = ""] = readExampleReadme("express-uploads").commands;
const { outputs } = readExampleReadme("express-uploads");
const FILE_MAX_BYTES = 80 * MIB;
const BIG_BYTES = 64 * MIB;
const TEST_MS = 180_000;

interface Stored {
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

let folder: TempFolder;
let server: ServerProcess | undefined;
let app: RunningExample | undefined;
let url = "";

async function startApp(env: Readonly<Record<string, string>>): Promise<void> {
  app = runExample(start, { PORT: "0", FILE_MAX_BYTES: String(FILE_MAX_BYTES), ...env });
  [, url = ""] = await app.until(/(http:\/\/127\.0\.0\.1:\d+)\//);
}

beforeEach(async () => {
  folder = await createTempFolder();
});
afterEach(async () => {
  const end = await app?.interrupt();
  expect(end?.output ?? "").not.toMatch(/ at .*\.ts:\d+/); // no stack trace of anything that was not handled
  await server?.stop();
  server = undefined;
  await folder[Symbol.asyncDispose]();
});

/** Slices of a form with one file, as a browser would send it. */
async function* formOf(name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(
    `--edge\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: image/png\r\n\r\n`,
  );
  yield* bytes;
  yield Buffer.from("\r\n--edge--\r\n");
}

function openUpload(): ClientRequest {
  const headers = { "content-type": "multipart/form-data; boundary=edge", accept: "application/json" };
  return request(`${url}/files`, { method: "POST", headers });
}

/** Uploads by a raw chunked stream. */
async function upload(name: string, bytes: AsyncIterable<Uint8Array>): Promise<{ status: number; body: unknown }> {
  const call = openUpload();
  const answered = once(call, "response");
  await pipeline(Readable.from(formOf(name, bytes)), call);
  const [answer] = await answered;
  return { status: answer.statusCode, body: JSON.parse(Buffer.concat(await answer.toArray()).toString()) };
}

async function storedKeys(): Promise<string[]> {
  const page = await (await fetch(url)).text();
  return [...page.matchAll(/href="\/files\/([^"]+)"/g)].map(([, key]) => decodeURIComponent(key ?? ""));
}

async function serves64MiB(): Promise<void> {
  const { status, body } = await upload("große Datei.png", testStream(BIG_BYTES));
  expect(status, JSON.stringify(body)).toBe(201);
  const [stored] = body as [Stored];
  expect(stored.sizeBytes).toBe(BIG_BYTES);
  expect(stored.key).toMatch(/^[0-9a-f-]{36}\/große Datei\.png$/);
  expect(await storedKeys()).toEqual([stored.key]);
  const file = `${url}/files/${encodeURI(stored.key)}`;

  const part = await fetch(file, { headers: { range: "bytes=40000000-40000999" } });
  expect(part.status).toBe(206);
  expect(part.headers.get("content-range")).toBe(`bytes 40000000-40000999/${BIG_BYTES}`);
  expect(Buffer.from(await part.arrayBuffer()).equals(testBytes(1000, 1, 40_000_000))).toBe(true);
  const tail = await fetch(file, { headers: { range: "bytes=-100" } });
  expect(Buffer.from(await tail.arrayBuffer()).equals(testBytes(100, 1, BIG_BYTES - 100))).toBe(true);
  const beyond = await fetch(file, { headers: { range: `bytes=${BIG_BYTES}-` } });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${BIG_BYTES}`]);

  const head = await fetch(file, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(head.headers.get("content-length")).toBe(String(BIG_BYTES));
  expect(head.headers.get("content-type")).toBe("image/png");
  const etag = head.headers.get("etag") ?? "";
  // What a browser sends on its second visit; fetch alone would also send cache-control: no-cache.
  const again = { "if-none-match": etag, "cache-control": "max-age=0" };
  expect((await fetch(file, { headers: again })).status).toBe(304);
  const changed = await fetch(file, { headers: { range: "bytes=0-9", "if-range": '"another"' }, method: "HEAD" });
  expect(changed.status).toBe(200);

  const whole = createHash("sha256");
  for await (const slice of (await fetch(file)).body ?? []) whole.update(slice);
  expect(whole.digest("hex")).toBe(stored.sha256);

  expect((await fetch(file, { method: "DELETE" })).status).toBe(204);
  expect((await fetch(file)).status).toBe(404);
  expect(await storedKeys()).toEqual([]);
}

describe("express-uploads", () => {
  test("stores 64 MiB of a form in a folder of its own, and serves ranges of it", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    await serves64MiB();
  });

  test("does the same through a gateway, unchanged", { timeout: TEST_MS }, async () => {
    server = await startServerProcess(["serve", "--path", folder.path, "--port", "0"]);
    const apiKey = String(server.ready.apiKey);
    await startApp({ ASHLAR_GATEWAY: server.url, ASHLAR_API_KEY: apiKey });
    await serves64MiB();
    await using client = createClient(gateway({ url: server.url, apiKey }));
    expect(await client.listBuckets()).toMatchObject([{ bucket: "uploads" }]);
  });

  test("answers 413 for a file that is too large, and keeps nothing of its form", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path, FILE_MAX_BYTES: "5000000" });
    const form = new FormData();
    form.append("file", new Blob([testBytes(1_000_000)]), "small.bin");
    form.append("file", new Blob([testBytes(5_000_001)]), "large.bin");
    const refused = await fetch(`${url}/files`, { method: "POST", body: form });
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: "OBJECT_TOO_LARGE" });
    expect(await storedKeys()).toEqual([]);
    expect((await upload("exact.bin", testStream(5_000_000))).status).toBe(201);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("keeps nothing of an upload whose client goes away half way", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    const call = openUpload();
    call.on("error", () => {});
    let sentBytes = 0;
    for await (const slice of formOf("half.bin", testStream(BIG_BYTES / 2))) {
      if (sentBytes > BIG_BYTES / 4) break;
      sentBytes += slice.byteLength;
      if (!call.write(slice)) await once(call, "drain");
    }
    call.destroy();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await storedKeys()).toEqual([]);
    expect((await upload("next.bin", testStream(100_000))).status).toBe(201);
    expect(await storedKeys()).toEqual([expect.stringMatching(/next\.bin$/)]);
  });

  test("refuses a body that is no form, and a form that ends too soon", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    const text = await fetch(`${url}/files`, { method: "POST", body: "hello" });
    expect([text.status, await text.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
    const headers = { "content-type": "multipart/form-data; boundary=edge" };
    const body = '--edge\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhalf';
    const cut = await fetch(`${url}/files`, { method: "POST", headers, body });
    expect([cut.status, await cut.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
    const without = new FormData();
    without.append("comment", "no file");
    const empty = await fetch(`${url}/files`, { method: "POST", body: without });
    expect([empty.status, await empty.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
    expect(await storedKeys()).toEqual([]);
  });

  test("answers JSON to a URL that it cannot read, and to an unknown one", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    const unreadable = await fetch(`${url}/files/%ff`);
    expect([unreadable.status, await unreadable.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
    const unknown = await fetch(`${url}/nowhere`);
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: "OBJECT_NOT_FOUND" }]);
  });

  test("tells clients nothing of an error that nobody expected", async () => {
    const { createApp } = await import("../../examples/express-uploads/app.ts");
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const object = (): never => {
      throw new TypeError("secret");
    };
    const own = createApp({ files: { object } as unknown as BucketHandle, fileMaxBytes: 1 }).listen(0, "127.0.0.1");
    try {
      await once(own, "listening");
      const answer = await fetch(`http://127.0.0.1:${(own.address() as AddressInfo).port}/files/any`);
      expect([answer.status, await answer.text()]).toMatchObject([500, expect.not.stringMatching(/secret|\.ts/)]);
      expect(told).toHaveBeenCalledOnce();
    } finally {
      own.close();
      told.mockRestore();
    }
  });

  test("says in one line why it does not start", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    const port = new URL(url).port;
    const env = { ASHLAR_PATH: folder.at("second") };
    const mistakes: ReadonlyArray<readonly [Record<string, string>, string]> = [
      [{ ...env, PORT: port }, "the port is taken; set PORT to another one"],
      [{ ...env, PORT: "abc" }, "PORT must be a number"],
      [{ ...env, FILE_MAX_BYTES: "abc" }, "FILE_MAX_BYTES must be a number"],
      [{ ASHLAR_GATEWAY: "http://127.0.0.1:9", ASHLAR_API_KEY: "none" }, "see to ASHLAR_GATEWAY and ASHLAR_API_KEY"],
    ];
    for (const [mistake, told] of mistakes) {
      const { exitCode, output } = await runExample(start, mistake).ended;
      expect(exitCode, output).toBe(1);
      expect(output).toContain(told);
      expect(output.trim().split("\n"), output).toHaveLength(1);
    }
  });

  test("answers what its README shows", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path });
    const { exitCode, stdout, output } = await runExample(post.replaceAll("http://127.0.0.1:3000", url)).ended;
    expect(exitCode, output).toBe(0);
    expect(masked(stdout)).toBe(masked(outputs[0]!));
  });

  // /proc tells the memory of another process; other systems have no such file.
  test.runIf(process.platform === "linux")("keeps its memory bounded", { timeout: TEST_MS }, async () => {
    await startApp({ ASHLAR_PATH: folder.path, FILE_MAX_BYTES: String(512 * MIB) });
    expect((await upload("warm.bin", testStream(BIG_BYTES))).status).toBe(201);
    const before = peakBytes(app?.pid ?? 0);
    const slice = randomBytes(MIB);
    async function* many(): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < 300; count++) yield slice;
    }
    expect((await upload("large.bin", many())).status).toBe(201);
    const growth = peakBytes(app?.pid ?? 0) - before;
    process.stdout.write(`express-uploads: memory grew by ${(growth / MIB).toFixed(1)} MiB with a file of 300 MiB\n`);
    expect(growth).toBeLessThan(100 * MIB);
  });
});

/** Largest resident size so far, in bytes, of the example's own process: the one below `pid` whose program is main.ts. */
function peakBytes(pid: number): number {
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (readFileSync(`/proc/${next}/cmdline`, "utf8").split("\0").at(-2) === "main.ts") {
      const [, kib = ""] = readFileSync(`/proc/${next}/status`, "utf8").match(/VmHWM:\s+(\d+) kB/) ?? [];
      if (kib !== "") return Number(kib) * 1024;
    }
    waiting.push(...readFileSync(`/proc/${next}/task/${next}/children`, "utf8").split(" ").filter(Boolean).map(Number));
  }
  throw new Error("no process of the example runs main.ts");
}
