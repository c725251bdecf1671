import { createReadStream } from "node:fs";
import type { Server } from "node:http";
import { extname, join, normalize, resolve } from "node:path";
import type { InlineConfig } from "vite";
import type { PageHandler } from "./app-server.ts";

const ROOT = join(import.meta.dirname, "..");
const CONFIG: InlineConfig = {
  root: ROOT,
  configFile: join(ROOT, "vite.config.ts"),
  clearScreen: false,
  logLevel: "warn",
};
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".map": "application/json",
};

/** The page as Vite builds it, which takes a second or two at each start. @param folder where the files go; files there are replaced. */
export async function builtPage(folder: string): Promise<PageHandler> {
  const { build } = await import("vite");
  const outDir = resolve(folder);
  await build({ ...CONFIG, build: { outDir, emptyOutDir: true } });
  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    const name = pathname === "/" ? "index.html" : normalize(pathname).slice(1);
    const file = createReadStream(join(outDir, name));
    file.once("error", () => response.writeHead(404).end("not found\n"));
    file.once("open", () => {
      response.writeHead(200, { "content-type": CONTENT_TYPES[extname(name)] ?? "application/octet-stream" });
      file.pipe(response);
    });
  };
}

/** The page from its sources, by Vite's development server inside the app's own. It reloads when a source changes, which interrupts uploads. */
export async function developmentPage(server: Server): Promise<PageHandler> {
  const { createServer } = await import("vite");
  const vite = await createServer({ ...CONFIG, server: { middlewareMode: { server }, ws: { server } } });
  return vite.middlewares;
}
