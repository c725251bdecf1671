import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, readPage } from "./markdown.ts";

const PAGES = globSync(["*.md", "docs/**/*.md", "tests/**/*.md", "packages/*/*.md", "examples/**/*.md"], {
  cwd: ROOT,
  exclude: (path) => String(path).includes("node_modules"),
});

/** What a heading is called in links, as the common forges do it. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = page.match(/^#+ .*$/gm) ?? [];
  return new Set(
    headings.map((heading) =>
      heading
        .replace(/^#+ /, "")
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("links", () => {
  test("there are pages to look at", () => {
    expect(PAGES).toContain("README.md");
    expect(PAGES.length).toBeGreaterThan(5);
  });

  test.each(PAGES)("of %s lead somewhere", (page) => {
    const prose = readPage(page).replaceAll(/```[\s\S]*?```/g, "");
    for (const [, target = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?|mailto):/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      expect(existsSync(join(ROOT, file)), `${page} links to ${target}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readPage(file)), `${page} links to ${target}`).toContain(anchor);
    }
  });
});
