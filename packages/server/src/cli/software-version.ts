import { createRequire } from "node:module";

/** Release of the server package, from its package.json. */
export const SOFTWARE_VERSION: string = readVersion();

function readVersion(): string {
  const manifest = createRequire(import.meta.url)("@ashlar/server/package.json") as { readonly version: string };
  return manifest.version;
}
