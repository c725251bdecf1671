import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Server } from "node:http";
import { extname, join, normalize } from "node:path";
import type { PageHandler } from "./app-server.ts";

const ROOT = join(import.meta.dirname, "..");
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".map": "application/json",
};

/** The page from its sources, by Vite's development server within the app's own. */
export async function developmentPage(server: Server): Promise<PageHandler> {
  const { createServer } = await import("vite");
  const vite = await createServer({
    root: ROOT,
    configFile: join(ROOT, "vite.config.ts"),
    server: { middlewareMode: { server }, hmr: { server } },
    clearScreen: false,
    logLevel: "warn",
  });
  return vite.middlewares;
}

/** The page as `vite build` made it, in dist/. */
export async function builtPage(): Promise<PageHandler> {
  const root = join(ROOT, "dist");
  await stat(join(root, "index.html"));
  return (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    const name = pathname === "/" ? "index.html" : normalize(pathname).slice(1);
    const file = createReadStream(join(root, name));
    file.once("error", () => response.writeHead(404).end("not found\n"));
    file.once("open", () => {
      response.writeHead(200, { "content-type": CONTENT_TYPES[extname(name)] ?? "application/octet-stream" });
      file.pipe(response);
    });
  };
}
