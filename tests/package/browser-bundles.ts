import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import { chromium } from "playwright";
import { build as vite } from "vite";
import { describe, expect, test } from "vitest";
import { CHROMIUM_ARGS, findChromium, requiresChromium } from "../support/chromium.ts";

const ENTRY = "browser-entry.ts";

type Bundler = (project: string, outdir: string) => Promise<unknown>;

const BUNDLERS: Readonly<Record<string, Bundler>> = {
  esbuild: (project, outdir) =>
    esbuild({
      absWorkingDir: project,
      entryPoints: [ENTRY],
      outdir,
      ...{ bundle: true, minify: true, splitting: true, format: "esm", platform: "browser", target: "es2022" },
      logLevel: "error",
    }),
  vite: (project, outdir) =>
    vite({
      root: project,
      configFile: false,
      logLevel: "error",
      build: {
        outDir: outdir,
        target: "es2022",
        modulePreload: false,
        rolldownOptions: {
          input: join(project, ENTRY),
          preserveEntrySignatures: "strict",
          output: { entryFileNames: "browser-entry.js" },
        },
      },
    }),
};

interface Bundle {
  /** Bytes by file name. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** What a page loads before it calls anything: the entry and its static imports, in gzip. */
  readonly firstBytes: number;
  readonly allBytes: number;
}

async function readBundle(outdir: string): Promise<Bundle> {
  const names = (await readdir(outdir, { recursive: true })).filter((name) => name.endsWith(".js"));
  const files = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(outdir, name))] as const)),
  );
  const first = new Set<string>();
  const visit = (name: string): void => {
    if (first.has(name)) return;
    first.add(name);
    const text = files.get(name)?.toString("utf8") ?? "";
    for (const [, imported = ""] of text.matchAll(/(?:\bfrom|\bimport)\s*"\.\/([^"]+)"/g)) {
      visit(names.find((each) => each.endsWith(imported)) ?? imported);
    }
  };
  visit("browser-entry.js");
  const packed = (wanted: readonly string[]): number =>
    wanted.reduce((sum, name) => sum + gzipSync(files.get(name) ?? "").byteLength, 0);
  return { files, firstBytes: packed([...first]), allBytes: packed(names) };
}

/** The packed SDK in a web app's bundle: nothing in it needs Node, parts load when they are needed, and it works in a browser. */
export function defineBrowserBundles(project: () => string): void {
  describe.each(Object.entries(BUNDLERS))("bundled by %s", (name, bundle) => {
    test("asks for nothing of Node, and loads parts when they are needed", { timeout: 60_000 }, async () => {
      const outdir = join(project(), `bundle-${name}`);
      await copyFile(new URL(ENTRY, import.meta.url), join(project(), ENTRY));
      await bundle(project(), outdir);
      const { files, firstBytes, allBytes } = await readBundle(outdir);
      for (const [file, bytes] of files) expect(bytes.toString("utf8"), file).not.toMatch(/["']node:|\brequire\(/);
      expect(files.size).toBeGreaterThan(3);
      expect(firstBytes).toBeLessThan(allBytes);
      process.stdout.write(
        `${name}: ${files.size} files, ${(allBytes / 1000).toFixed(1)} kB in gzip with both seats and three transports, ` +
          `${(firstBytes / 1000).toFixed(1)} kB of it at once\n`,
      );
    });

    const isAbsent = findChromium() === undefined;
    if (isAbsent && !requiresChromium()) return test.skip("runs in Chromium: there is none", () => {});

    test("puts and gets in Chromium against a server of the packed command line", { timeout: 120_000 }, async () => {
      const outdir = join(project(), `bundle-${name}`);
      await writeFile(join(outdir, "index.html"), '<script type="module" src="browser-entry.js"></script>');
      await using page = await servePage(outdir);
      await using server = await serveStore(project(), join(project(), `store-${name}`), page.url);
      const browser = await chromium.launch({ executablePath: findChromium()!, args: [...CHROMIUM_ARGS] });
      try {
        const tab = await browser.newPage();
        await tab.goto(page.url);
        const script = `import("./browser-entry.js").then((app) => app.putAndGet(${JSON.stringify(server.access)}))`;
        const digests = (await tab.evaluate(script)) as string[];
        expect(digests).toHaveLength(4);
        expect(new Set(digests).size).toBe(1);
      } finally {
        await browser.close();
      }
    });
  });
}

interface Served extends AsyncDisposable {
  readonly url: string;
}

async function servePage(folder: string): Promise<Served> {
  const server: Server = createServer(async (request, response) => {
    const name = request.url === "/" ? "index.html" : String(request.url).slice(1);
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    const type = name.endsWith(".js") ? "text/javascript" : "text/html";
    response.writeHead(bytes === undefined ? 404 : 200, { "content-type": type }).end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function serveStore(
  project: string,
  path: string,
  origin: string,
): Promise<AsyncDisposable & { readonly access: { readonly url: string; readonly apiKey: string } }> {
  const main = join(project, "node_modules/@ashlar/server/dist/cli/main.js");
  const args = [main, "serve", "--path", path, "--port", "0", "--json", "--cors-origins", origin];
  const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env: { LOG_LEVEL: "warn" } });
  const [line] = await once(createInterface({ input: server.stdout }), "line");
  const { url, apiKey } = JSON.parse(String(line)) as { url: string; apiKey: string };
  return {
    access: { url, apiKey },
    async [Symbol.asyncDispose]() {
      server.kill("SIGTERM");
      await once(server, "exit");
    },
  };
}
