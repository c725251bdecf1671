/** Every file that a comment names exists: a reader cannot find a file that was moved. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDERS = ["packages", "proto", "tests", "tools", "bench", "examples"];
/** Not ours, or generated. */
const PASSED_OVER = new Set(["node_modules", "dist", "coverage", "gen"]);
const COMMENT = /\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g;
const ADDRESS = /https?:\/\/\S+/g;
/** A name with a path or without, not the part of an import, a pattern or a longer word. */
const NAMED = /(?<![\w/.@*{}>"'-])(?:[\w.@-]+\/)*[a-z0-9][\w.-]*\.(?:ts|mjs|cjs|proto|md)\b(?!["'])/g;

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return PASSED_OVER.has(entry.name) ? [] : await filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

it("every file that a comment names exists", async () => {
  const known = new Set((await filesBelow(".")).map((path) => basename(path)));
  const sources = (await Promise.all(FOLDERS.map(filesBelow))).flat().filter((path) => /\.(ts|mjs|proto)$/.test(path));
  const missing: string[] = [];
  let namedCount = 0;
  for (const path of sources) {
    const comments = (await readFile(join(ROOT, path), "utf8")).match(COMMENT) ?? [];
    for (const name of comments.flatMap((comment) => comment.replace(ADDRESS, "").match(NAMED) ?? [])) {
      namedCount++;
      if (!known.has(basename(name))) missing.push(`${path} names ${name}`);
    }
  }
  expect(missing).toEqual([]);
  // The search itself finds something.
  expect(namedCount).toBeGreaterThan(20);
});
