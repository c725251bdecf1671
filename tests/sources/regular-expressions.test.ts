/**
 * Every regular expression of the packages takes time linear in the length of a text, whatever the text. A pattern that can read a text in two ways,
 * or that starts again at each character and runs to the end, takes quadratic time: a header of 64 KiB kept a server busy for seconds.
 */
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

// The checker's own JavaScript: otherwise it would look for Java and for programs that are not installed.
process.env.RECHECK_BACKEND = "pure";
const { checkSync } = await import("recheck");

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PACKAGES = ["sdk", "adapters", "server"];
const NOT_OURS = /\.test(-d)?\.ts$|\.d\.ts$|^gen\/|\/gen\//;
/** A pattern without one of these reads no more characters than it has itself. */
const UNBOUNDED = /(?<!\\)[*+]|,\}/;

interface Found {
  readonly source: string;
  readonly flags: string;
  readonly where: string;
}

async function sourceFiles(): Promise<readonly string[]> {
  const files = await Promise.all(
    PACKAGES.map(async (name) => {
      const entries = await readdir(`${ROOT}packages/${name}/src`, { recursive: true });
      return entries
        .filter((entry) => entry.endsWith(".ts") && !NOT_OURS.test(entry))
        .map((entry) => `packages/${name}/src/${entry}`);
    }),
  );
  return files.flat().sort();
}

/** Literals of a file, and how many patterns it makes with `RegExp`. */
async function read(file: string): Promise<{ readonly literals: readonly Found[]; readonly made: number }> {
  const source = ts.createSourceFile(file, await readFile(ROOT + file, "utf8"), ts.ScriptTarget.Latest, true);
  const literals: Found[] = [];
  let made = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf("/");
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      literals.push({ source: node.text.slice(1, end), flags: node.text.slice(end + 1), where: `${file}:${line}` });
    }
    const isMade = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isMade && node.expression.getText() === "RegExp") made++;
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { literals, made };
}

/** The patterns that a module makes while it loads. */
async function madeBy(file: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  const before = globalThis.RegExp;
  globalThis.RegExp = new Proxy(before, {
    construct(target, [pattern, flags = ""]: [string, string?]) {
      found.push({ source: pattern, flags, where: file });
      return new target(pattern, flags);
    },
  });
  try {
    await import(`${ROOT}${file}`);
  } finally {
    globalThis.RegExp = before;
  }
  return found;
}

const problemOf = ({ source, flags, where }: Found): string | undefined => {
  // No time limit: on a busy machine, a check that did not finish would be "unknown".
  const result = checkSync(source, flags, { checker: "automaton", timeout: null });
  if (result.status === "safe") return undefined;
  const what = result.status === "vulnerable" ? result.complexity.summary : "more than can be judged";
  return `${where}: /${source}/${flags} is ${what}`;
};

it("a checker tells linear patterns from others", () => {
  const isLinear = (source: string): boolean => problemOf({ source, flags: "", where: "" }) === undefined;
  expect(["^a+b$", "(^|[^/])/+$"].map(isLinear)).toEqual([true, true]);
  expect(["a+$", "^ *(\\d*) *$", "^(a+)+$", "a.*b"].map(isLinear)).toEqual([false, false, false, false]);
});

it("each pattern of the packages takes time linear in the length of the text", { timeout: 600_000 }, async () => {
  const patterns = new Map<string, Found>();
  for (const file of await sourceFiles()) {
    const { literals, made } = await read(file);
    const composed = made === 0 ? [] : await madeBy(file);
    // Nobody can check patterns that are made later, from unknown parts.
    expect([file, composed.length >= made]).toEqual([file, true]);
    for (const each of [...literals, ...composed]) {
      if (UNBOUNDED.test(each.source)) patterns.set(`/${each.source}/${each.flags}`, each);
    }
  }
  expect(patterns.size).toBeGreaterThan(40);
  expect([...patterns.values()].flatMap((each) => problemOf(each) ?? [])).toEqual([]);
});
