import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startCli } from "../support/cli.ts";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { type CodeBlock, codeBlocks, ROOT, RUNNABLE, readPage } from "./markdown.ts";
import { runPage } from "./page-runner.ts";

const PAGES = ["README.md", "docs/getting-started.md", "docs/operations.md", "docs/twelve-calls.md"] as const;
/** Dozens of processes, one after the other, on a machine that may be busy. */
const PAGE_MS = 400_000;

let folder: TempFolder;
beforeEach(async () => {
  folder = await createTempFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

function blocksOf(page: string, directive: string): readonly CodeBlock[] {
  return codeBlocks(readPage(page)).filter((block) => block.directive === directive);
}

describe("the pages' code", () => {
  test.each([
    "CONTRIBUTING.md",
    "docs/wire-protocol.md",
    "docs/configuration.md",
    "docs/errors.md",
    "docs/limits.md",
    "docs/concepts.md",
    "docs/seats-and-transports.md",
    "docs/benchmarks.md",
    "SECURITY.md",
    "UPGRADING.md",
    ...PAGES,
  ])("of %s is run, or names the test that runs it", (page) => {
    for (const { language, directive, line } of codeBlocks(readPage(page))) {
      if (!RUNNABLE.has(language)) continue;
      const elsewhere = directive?.match(/^run elsewhere: (.*)$/)?.[1];
      const known = directive === "run" || directive === "run instead of the seat" || elsewhere !== undefined;
      expect(known, `${page}:${line} has a directive`).toBe(true);
      if (elsewhere !== undefined) expect(existsSync(`${ROOT}${elsewhere}`), `${elsewhere} is there`).toBe(true);
      else expect(PAGES, `${page} is among the pages that are run`).toContain(page);
    }
  });

  test("of README.md works", { timeout: PAGE_MS }, async () => {
    const result = await runPage({ folder: folder.path, blocks: blocksOf("README.md", "run") });
    expect(result.exitCode, result.transcript).toBe(0);
    expect(result.stdout).toContain("2026/cat.jpg");
    expect(result.stdout).toContain("5000000 1024");
    expect(result.stdout).toContain("OBJECT_NOT_FOUND false");
  });

  test("of docs/twelve-calls.md works", { timeout: PAGE_MS }, async () => {
    const result = await runPage({ folder: folder.path, blocks: blocksOf("docs/twelve-calls.md", "run") });
    expect(result.exitCode, result.transcript).toBe(0);
    const lines = result.stdout.trim().split("\n");
    expect(lines[0]).toMatch(/^5000000 \S+ [0-9a-f]{8}$/);
    expect(lines.slice(1)).toEqual([
      ...["a picture true", "image/jpeg true", "2026/cat.jpg", "true", "true", "OBJECT_NOT_FOUND false"],
    ]);
  });

  test("of docs/getting-started.md works", { timeout: PAGE_MS }, async () => {
    const result = await runPage({ folder: folder.path, blocks: blocksOf("docs/getting-started.md", "run") });
    expect(result.exitCode, result.transcript).toBe(0);
    expect(result.stdout).toContain("true 2");
    expect(result.stdout).toContain('"msg":"stopped"');
  });

  test("of docs/getting-started.md says so when something else has the server's port", {
    timeout: PAGE_MS,
  }, async () => {
    const other = createServer((_request, response) => void response.writeHead(404).end());
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const [block] = blocksOf("docs/getting-started.md", "run").filter(({ code }) => code.includes("ashlar serve"));
      const code = block!.code.replaceAll("9000", String(port));
      const result = await runPage({ folder: folder.path, blocks: [{ ...block!, code }] });
      expect(result.exitCode).not.toBe(0);
      expect(result.stdout).toMatch(new RegExp(`${port} .*(taken|use)`));
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });

  test("of docs/operations.md works", { timeout: PAGE_MS }, async () => {
    const schema = await createPostgresSchema();
    try {
      const blocks = blocksOf("docs/operations.md", "run");
      const result = await runPage({ folder: folder.path, blocks, databaseUrl: schema.url });
      expect(result.exitCode, result.transcript).toBe(0);
      expect(result.stdout).toContain("layout 6, 3 copies of each chunk");
      expect(result.stdout).toContain('"msg":"stopped"');
    } finally {
      await schema.drop();
    }
  });
});

describe("the examples", () => {
  const names = readdirSync(`${ROOT}examples`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(`${ROOT}examples/${entry.name}/package.json`))
    .map(({ name }) => name);
  /** The browser example has a folder of its own, because it needs Chromium. */
  const testOf = (name: string): string =>
    name === "browser" ? "tests/browser-page" : `tests/examples/${name}.test.ts`;

  test.each(names)("%s has a README that is short, a test, and a row in the table of all", (name) => {
    const page = readPage(`examples/${name}/README.md`);
    expect(page.split("\n").filter((line) => line !== "").length).toBeLessThan(60);
    expect(existsSync(`${ROOT}${testOf(name)}`), testOf(name)).toBe(true);
    expect(readPage("examples/README.md")).toContain(`| [${name}](${name}) |`);
  });

  test("in the table all exist", () => {
    const listed = [...readPage("examples/README.md").matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(names.sort());
  });
});

describe("the two lines that change", () => {
  const [app] = blocksOf("README.md", "run");
  test.each(
    blocksOf("README.md", "run instead of the seat").map((block) => [block.code.match(/\{ (\w+) \}/)?.[1], block]),
  )("make %s of the app", { timeout: PAGE_MS }, async (seat, swap) => {
    const environment = { CLUSTER_KEY: "the tests' own cluster key, 32 characters" };
    const gateway = startCli(["gateway", "--path", folder.at("meta"), "--port", "0", "--log-level", "silent"], {
      env: environment,
    });
    const [, url = ""] = await gateway.until(/listens on (\S+)/);
    const [, apiKey = ""] = await gateway.until(/once: (\S+)/);
    const node = startCli(
      [
        "node",
        "--server-id",
        "n1",
        "--data-dir",
        folder.at("n1"),
        "--port",
        "0",
        "--gateway",
        url,
        "--log-level",
        "silent",
      ],
      { env: environment },
    );
    await node.until(/listens on/);
    const lines = (swap as CodeBlock).code.split("\n");
    const code = app?.code
      .replace(/^import \{ embedded \}.*$/m, lines[0] ?? "")
      .replace(/^const client = .*$/m, lines[1] ?? "")
      .replaceAll("http://127.0.0.1:9000", url);
    expect(lines).toHaveLength(2);
    expect(code).toContain(url);
    const block = { language: "ts", code: code ?? "", line: 1, directive: "run" };
    const result = await runPage({ folder: folder.at("app"), blocks: [block], env: { ASHLAR_API_KEY: apiKey } });
    await node.stop();
    await gateway.stop();
    expect(result.exitCode, result.transcript).toBe(0);
    expect(result.stdout, String(seat)).toContain("5000000 1024");
  });
});
