import { createRequire } from "node:module";

/** Release of the server package, from its package.json, which lies two folders up from the sources and from the bundle alike. */
export const SOFTWARE_VERSION: string = readVersion();

function readVersion(): string {
  const manifest = createRequire(import.meta.url)("@ashlar/server/package.json") as { readonly version: string };
  return manifest.version;
}
