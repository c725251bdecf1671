import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, type LogFields, silentLogger } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noMetrics } from "../../observability/index.ts";
import { keepTlsFresh, readTls } from "./tls-files.ts";

let root: string;
const at = (name: string): string => join(root, name);
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "ashlar-test-"));
  writeFileSync(at("text"), "hello");
  for (const name of ["one", "two"]) makePair(name);
  const locked = ["pkey", "-aes256", "-passout", "pass:secret"];
  execFileSync("openssl", [...locked, "-in", at("one.key"), "-out", at("locked.key")], { stdio: "ignore" });
});
afterAll(() => rmSync(root, { recursive: true }));

function makePair(name: string): void {
  const kind = ["req", "-x509", "-nodes", "-days", "1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const out = ["-subj", "/CN=localhost", "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)];
  execFileSync("openssl", [...kind, ...out], { stdio: "ignore" });
}

const files = (cert: string, key: string) => ({ cert: at(cert), key: at(key), hstsMaxAgeMs: 0 });

describe("files of a certificate", () => {
  test("that belong together are read", async () => {
    const tls = await readTls(files("one.pem", "one.key"));
    expect(tls.cert).toBe(readFileSync(at("one.pem"), "utf8"));
  });

  test.each([
    ["text", "one.key", "--tls-cert: ", "text holds no certificate"],
    ["one.key", "one.key", "--tls-cert: ", "one.key holds no certificate"],
    ["one.pem", "text", "--tls-key: ", "text holds no private key"],
    ["one.pem", "one.pem", "--tls-key: ", "one.pem holds no private key"],
    ["one.pem", "locked.key", "--tls-key: ", "locked.key is encrypted"],
    ["one.pem", "two.key", "--tls-key: ", "two.key is not that of the certificate"],
  ])("%s and %s are refused with the flag and the file's name", async (cert, key, flag, problem) => {
    const error: unknown = await readTls(files(cert, key)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((error as Error).message.startsWith(flag)).toBe(true);
    expect((error as Error).message).toContain(problem);
  });
});

describe("a certificate whose files are watched", () => {
  const DAY_MS = 24 * 3600 * 1000;

  /** Looks twice at the files, with `change` between the looks. */
  async function watch(awayMs: number, change: () => void): Promise<{ lines: [LogFields, string][]; set: number }> {
    const stop = new AbortController();
    const lines: [LogFields, string][] = [];
    let set = 0;
    let sleeps = 0;
    const now = Date.parse(new Date().toISOString()) + awayMs;
    const clock: Clock = {
      nowMs: () => now,
      monotonicMs: () => now,
      async sleep() {
        if (sleeps++ === 2) throw new Error("stopped");
        if (sleeps === 1) change();
      },
    };
    const line = (fields: LogFields, message: string): void => void lines.push([fields, message]);
    const named = files("kept.pem", "kept.key");
    await keepTlsFresh(named, {
      current: await readTls(named),
      server: { setTls: () => void set++ },
      clock,
      logger: { ...silentLogger, warn: line, error: line },
      metrics: noMetrics,
      signal: stop.signal,
    });
    return { lines, set };
  }

  test("is logged as ended, at the start and when a new one has ended too", async () => {
    makePair("kept");
    const { lines, set } = await watch(2 * DAY_MS, () => makePair("kept"));
    expect(set).toBe(1);
    const line = [expect.objectContaining({ file: at("kept.pem") }), expect.stringContaining("has ended")];
    expect(lines).toEqual([line, line]);
  });

  test("is logged as not valid yet", async () => {
    makePair("kept");
    const { lines } = await watch(-2 * DAY_MS, () => {});
    expect(lines.map(([, message]) => message)).toEqual([expect.stringContaining("is not valid yet")]);
  });

  test("stays while the new files do not belong together, which is logged once", async () => {
    makePair("kept");
    const { lines, set } = await watch(0, () => writeFileSync(at("kept.key"), readFileSync(at("one.key"))));
    expect([set, lines.map(([, message]) => message)]).toEqual([0, ["the certificate was not changed"]]);
  });
});
