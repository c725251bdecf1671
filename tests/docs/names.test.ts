import { existsSync, globSync, readFileSync } from "node:fs";
import { ERROR_CODES } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { COMMANDS, SETTING_GROUPS, type Setting } from "@ashlar/server/cli";
import { describe, expect, test } from "vitest";
import { ROOT, readPage } from "./markdown.ts";

/** What readers follow today. UPGRADING.md and the decisions also name what there was. */
const PAGES = [
  "README.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  "examples/README.md",
  ...globSync("docs/*.md", { cwd: ROOT }),
];

/** Every setting, by the name under which commands list it. */
const settings: Readonly<Record<string, Setting>> = Object.assign({}, ...Object.values(SETTING_GROUPS));
const flagsOf = (setting: Setting | undefined): readonly string[] =>
  setting?.flag?.match(/(?<![\w-])--?[a-z0-9-]+/g) ?? [];
const allFlags: ReadonlySet<string> = new Set(Object.values(settings).flatMap(flagsOf));
const variables: ReadonlySet<string> = new Set(Object.values(settings).flatMap(({ env = [] }) => env));
/** Those of the pages that are generated and compared with the sources, or that a test compares with running servers. */
const limits: ReadonlySet<string> = new Set(
  [...readPage("docs/limits.md").matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm)].map(([, name = ""]) => name),
);
const metrics: ReadonlySet<string> = new Set(
  [...readPage("docs/operations.md").matchAll(/^\| `(ashlar_\w+)`/gm)].map(([, name = ""]) => name),
);
const alerts: ReadonlySet<string> = new Set(
  [...readFileSync(`${ROOT}dashboards/alerts.yml`, "utf8").matchAll(/alert: (\w+)/g)].map(([, name = ""]) => name),
);
/** Names of other programs, and of our tables, tests and containers. */
const OTHER_NAMES: ReadonlySet<string> = new Set([
  ...["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "GRPC_SSL_CIPHER_SUITES", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"],
  ...["HTTP_LIMITS", "BYTES_FREE", "NOT_ASHLAR", "NOT_MODIFIED"],
]);
const COMPOSE = readFileSync(`${ROOT}docker-compose.yml`, "utf8");
/** Flags of Node and of the benchmarks that the pages name alone. */
const OTHER_FLAGS: ReadonlySet<string> = new Set(["--no-wasm-code-gc", "--no-memory-protection-keys", "--only"]);
/** Shown by servers with TLS only, so not by those that the list is compared with (`tls-files.test.ts` looks at it). */
const TLS_METRICS: ReadonlySet<string> = new Set(["ashlar_tls_certificate_end_seconds"]);

/** The texts between backticks, and the lines of blocks of code. */
function codeOf(page: string): readonly string[] {
  const text = readPage(page);
  const blocks = [...text.matchAll(/```[a-z]*\n([\s\S]*?)```/g)].flatMap(([, code = ""]) => code.split("\n"));
  const spans = [...text.replaceAll(/```[\s\S]*?```/g, "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
  return [...blocks, ...spans.map((span) => span.replaceAll("\n", " "))];
}

/** Calls of the program in a line of code: `ashlar <command> <arguments>`. */
function callsIn(line: string): readonly (readonly string[])[] {
  // An image of that name is no call.
  if (line.startsWith("docker")) return [];
  return [...line.matchAll(/(?:^|[\s(`])ashlar ((?:[^|&;>)\\#`\n]|\\ )*)/g)].map(([, rest = ""]) =>
    rest.trim().replace(/^-- */, "").split(/\s+/),
  );
}

/** The command that words name; the default of a group counts if the next word is none of its commands. */
function commandOf([first = "", second = ""]: readonly string[]): (typeof COMMANDS)[number] | undefined {
  const named =
    COMMANDS.find(({ name }) => name === `${first} ${second}`) ?? COMMANDS.find(({ name }) => name === first);
  return named ?? COMMANDS.find(({ name, isDefault }) => isDefault === true && name.startsWith(`${first} `));
}

/** Words of prose after the program's name, such as "the program `ashlar …`". */
const isPlaceholder = (word: string): boolean => /^(…|<.*|\.\.\.|help|--version|--help|)$/.test(word);

describe.each(PAGES)("the names on %s", (page) => {
  const code = codeOf(page);

  test("settings, limits and codes in capitals exist", () => {
    const names = code.flatMap((line) => line.match(/(?<![\w$-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w-])/g) ?? []);
    const isKnown = (name: string): boolean =>
      variables.has(name) || limits.has(name) || name in LIMITS || name in ERROR_CODES || OTHER_NAMES.has(name);
    const isOurs = (name: string): boolean =>
      COMPOSE.includes(name) || /^[A-Z]+(_[A-Z]+)*_KIND_|^NODE_STATE_/.test(name);
    expect(names.filter((name) => !isKnown(name) && !isOurs(name))).toEqual([]);
  });

  test("a limit that is no setting leads to the page of limits: a reader would set it in vain", () => {
    if (page === "docs/limits.md") return;
    const text = readPage(page).replaceAll(/\[`[A-Z0-9_]+`\]\([\w/]*limits\.md[^)]*\)/g, "");
    const bare = [...text.matchAll(/(?<![\w$])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?!\w)/g)].map(([name]) => name);
    expect(bare.filter((name) => limits.has(name) && !variables.has(name))).toEqual([]);
  });

  test("commands exist, and take the flags that they are given", () => {
    for (const words of code.flatMap(callsIn)) {
      if (isPlaceholder(words[0] ?? "")) continue;
      const command = commandOf(words);
      expect(command?.name, `ashlar ${words.join(" ")}`).toBeDefined();
      const known = command!.settings.flatMap((name) => flagsOf(settings[name]));
      const given = words.flatMap((word) => word.match(/^--?[a-z][a-z-]*/) ?? []);
      for (const flag of given) expect([...known, "--help"], `${flag} of ashlar ${words.join(" ")}`).toContain(flag);
    }
  });

  test("flags that are named alone exist", () => {
    const flags = code.flatMap((line) => line.match(/^--[a-z][a-z-]+/) ?? []);
    expect(flags.filter((flag) => !allFlags.has(flag) && !OTHER_FLAGS.has(flag))).toEqual([]);
  });

  test("metrics and alerts exist", () => {
    const named = code.flatMap((line) => line.match(/\bashlar_[a-z_]+[a-z]\b/g) ?? []);
    const isMetric = (name: string): boolean =>
      metrics.has(name) || TLS_METRICS.has(name) || metrics.has(name.replace(/_(bucket|count|sum)$/, ""));
    expect(named.filter((name) => !isMetric(name))).toEqual([]);
    const alarms = code.flatMap((line) => line.match(/\bAshlar[A-Z][a-z]\w+/g) ?? []);
    expect(alarms.filter((name) => !alerts.has(name) && name !== "AshlarError")).toEqual([]);
  });
});

test("the pages are there, and name settings, commands, metrics and alerts", () => {
  expect(PAGES.every((page) => existsSync(`${ROOT}${page}`))).toBe(true);
  const code = PAGES.flatMap(codeOf);
  expect(code.flatMap(callsIn).length).toBeGreaterThan(50);
  for (const known of [variables, limits, metrics, alerts]) expect(known.size).toBeGreaterThan(15);
});
