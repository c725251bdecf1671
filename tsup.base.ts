import { existsSync, readFileSync } from "node:fs";
import type { Options } from "tsup";

interface PackageJson {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** What declarations need beyond ES2023 and the DOM: `Symbol.asyncDispose`. Programs that leave it out of their `lib` compile with it all the same. */
const LIBRARIES = '/// <reference lib="esnext.disposable" />';

/**
 * Builds the tsup options of one package from its package.json: every export and every bin is one bundle entry.
 *
 * ASHLAR_BUILD_DTS=0 leaves the declaration files out: running needs only the JavaScript, and declarations take most of the time.
 */
export function packageOptions(): Options {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as PackageJson;
  const exported = Object.values(manifest.exports).flatMap((target) =>
    typeof target === "string" ? [] : [target["ashlar-source"] ?? ""],
  );
  const commands = Object.values(manifest.bin ?? {}).map((target) =>
    target.replace("./dist/", "./src/").replace(/\.js$/, ".ts"),
  );
  // A source that is not there is left out here and found by `npm run exports`, which asks for every file that package.json names.
  const sources = [...exported, ...commands].filter((source) => existsSync(source));
  return {
    // Keys keep the folder layout of src, so dist/x/index.js stands where package.json says.
    entry: Object.fromEntries(sources.map((source) => [source.replace(/^\.\/src\//, "").replace(/\.ts$/, ""), source])),
    format: "esm",
    target: ["node22", "es2023"],
    platform: "neutral",
    dts: process.env.ASHLAR_BUILD_DTS === "0" ? false : { banner: LIBRARIES },
    sourcemap: true,
    splitting: true,
    // "sqlite" without its prefix is nothing that Node knows.
    removeNodeProtocol: false,
    clean: true,
    outDir: "dist",
  };
}
