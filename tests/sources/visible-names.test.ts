import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { wordsBelow, wordsForNone } from "../../examples/browser/src/ui/looked-at.ts";
import { visibleName } from "../../examples/browser/src/ui/visible-name.ts";
import { ROOT } from "../docs/markdown.ts";

describe("a name in the example's page", () => {
  test("is escaped by the list of the command line", async () => {
    const listOf = async (path: string): Promise<string | undefined> =>
      (await readFile(`${ROOT}${path}`, "utf8")).match(/ CONTROL_CHARACTERS =\s+(\S+);/)?.[1];
    const list = await listOf("examples/browser/src/ui/visible-name.ts");
    expect(list).toContain("Bidi_Control");
    expect(list).toBe(await listOf("packages/server/src/observability/control-characters.ts"));
  });

  test.each([
    ["\u202egpj.exe", "\\u202egpj.exe"],
    ["a\u200bb\n", "a\\u200bb\\x0a"],
    [" ", "\\x20"],
    ["\u00a0a  ", "\\u00a0a\\x20\\x20"],
    ["\u3164", "\\u3164"],
    ["\u{e0041}", "\\u{e0041}"],
    ["", "(no name)"],
  ])("%j is seen as %j", (name, seen) => {
    expect(visibleName(name)).toBe(seen);
    expect(visibleName(seen)).toBe(seen);
  });

  test.each(["שלום.txt", "ملف.pdf", "a b.txt", "❤️", "👩‍👧", "../", "/"])("%j stays as it is", (name) => {
    expect(visibleName(name)).toBe(name);
  });
});

describe("the words of a search", () => {
  const objects = Array.from({ length: 100 }, () => ({}) as never);
  const part = { contents: { folders: [], objects, nextCursor: "more" }, isListed: true };

  test("tell what was searched, and nothing of the rest", () => {
    expect(wordsForNone("x", { ...part, state: "loading" })).toBe(
      "No name among the first 100 has “x” in it. Looking at the rest …",
    );
    expect(wordsForNone("x", { ...part, state: "failed" })).toContain("could not be looked at");
    expect(wordsBelow({ ...part, state: "failed" })).toContain("could not be looked at");
    expect(wordsForNone("x", { ...part, isListed: false, state: "loading" })).toBe("Looking …");
  });

  test("tell of all files when all were searched", () => {
    const whole = { contents: { folders: [], objects }, isListed: true, state: "idle" } as const;
    expect(wordsForNone("x", whole)).toBe("No name here has “x” in it.");
    expect(wordsBelow(whole)).toBe("");
  });
});
