import { defaultExclude, defineConfig, type TestProjectConfiguration } from "vitest/config";
import { quietChromium } from "./tests/browser/quiet-chromium.ts";
import { CHROMIUM_ARGS, findChromium } from "./tests/support/chromium.ts";

const CONDITION = "ashlar-source";
const SECOND_MS = 1000;
/** What is waited for comes; a busy machine takes its time. */
const POLL_TIMEOUT_MS = 60 * SECOND_MS;
/**
 * Worker threads that run TypeScript strip its types with WebAssembly, each with an instance of its own. Where many of them come and go, V8's books of
 * code pages can end the process ("Check failed: jit_page.has_value()", https://github.com/nodejs/node/issues/64500): these take its part away that frees code
 * while threads end, and the keys that guard the pages. Published packages are JavaScript and have no WebAssembly in their threads.
 */
const SOUND_THREADS = ["--no-wasm-code-gc", "--no-memory-protection-keys"];
const SETUP_FILES = ["./tests/support/equal-bytes.ts"];
const WITHOUT_POSTGRES: readonly string[] = ["unit", "package"];

// Threads and processes that tests start run the TypeScript sources. Node keeps what it has stripped, so each starts in half the time.
process.env.NODE_COMPILE_CACHE ??= new URL("node_modules/.cache/node-compile/", import.meta.url).pathname;

const CONDITIONS = [CONDITION, "module", "node", "development|production"];
/** Package names resolve to sources in vitest's own process too, where the global set-up runs. */
const SETUP_ENVIRONMENT = {
  __vitest__: { resolve: { conditions: CONDITIONS, externalConditions: [CONDITION, "node"] } },
};

/** Package names resolve to sources: in vite's resolver, and in the workers' own Node for what vite leaves alone. */
function project(
  name: string,
  include: readonly string[],
  exclude: readonly string[] = [],
  options: { readonly sequence?: { readonly groupOrder: number } } = {},
): TestProjectConfiguration {
  return {
    resolve: { conditions: CONDITIONS },
    ssr: { resolve: { conditions: CONDITIONS, externalConditions: [CONDITION, "node"] } },
    environments: SETUP_ENVIRONMENT,
    test: {
      name,
      ...options,
      include: [...include],
      exclude: [...defaultExclude, ...exclude],
      environment: "node",
      pool: "forks",
      setupFiles: SETUP_FILES,
      execArgv: [`--conditions=${CONDITION}`, ...SOUND_THREADS],
      // Only to end what hangs: a busy machine is many times slower, and no test is about speed.
      testTimeout: 90 * SECOND_MS,
      hookTimeout: 120 * SECOND_MS,
      expect: { poll: { timeout: POLL_TIMEOUT_MS } },
      // One PostgreSQL server per run, for the projects that may ask for it; its address is in DATABASE_URL.
      globalSetup: WITHOUT_POSTGRES.includes(name) ? [] : ["./packages/adapters/src/internal/test-postgres.ts"],
    },
  };
}

/** Chromium with the page on a port of its own; without Chromium one test that says so. */
function browserProject(executablePath: string | undefined = findChromium()): TestProjectConfiguration {
  if (executablePath === undefined) return project("browser", ["tests/browser/without-chromium.nodejs.ts"]);
  return {
    resolve: { conditions: [CONDITION, "module", "browser", "development|production"] },
    environments: SETUP_ENVIRONMENT,
    // Found while a test runs, a dependency would reload the page under it.
    optimizeDeps: { include: BROWSER_DEPENDENCIES },
    test: {
      name: "browser",
      include: ["tests/browser/**/*.test.ts"],
      setupFiles: SETUP_FILES,
      globalSetup: ["./packages/adapters/src/internal/test-postgres.ts", "./tests/browser/real-servers.ts"],
      testTimeout: 90 * SECOND_MS,
      hookTimeout: 120 * SECOND_MS,
      expect: { poll: { timeout: POLL_TIMEOUT_MS } },
      ...ALONGSIDE,
      browser: {
        enabled: true,
        headless: true,
        ui: false,
        screenshotFailures: false,
        provider: quietChromium({ launchOptions: { executablePath, args: [...CHROMIUM_ARGS] } }),
        instances: [{ browser: "chromium" }],
      },
    },
  };
}

/**
 * After the other projects: each file has servers and a browser or a database of its own, and looks at what they do while they start and fail. They wait
 * more than they work, so two run side by side, as everywhere, and the browser's files beside those of the two projects that run in Node.
 */
const ALONGSIDE = { sequence: { groupOrder: 1 } };

const BROWSER_DEPENDENCIES = [
  "@ashlar/sdk > @bufbuild/protobuf",
  "@ashlar/sdk > @bufbuild/protobuf/codegenv2",
  "@ashlar/sdk > @bufbuild/protobuf/wkt",
  "@ashlar/sdk > @connectrpc/connect",
  "@ashlar/sdk > @connectrpc/connect/protocol",
  "@ashlar/sdk > @connectrpc/connect-web",
  "@ashlar/sdk > @noble/hashes/sha2.js",
];

/** Judges what a run has found; it needs no cluster. */
const NEMESIS_CHECKER = "tests/cluster/nemesis/history.test.ts";

const INTEGRATION = [
  "engine",
  "servers",
  "cli",
  "flows",
  "tracing",
  "storage",
  "concurrency",
  "interrupted",
  "fuzz",
  "third-party",
  "docs",
  "containers",
  "examples",
];

export default defineConfig({
  test: {
    // Also on two cores: a third of the time goes into waiting for disks, servers and browsers. vitest itself would take one.
    maxWorkers: 3,
    projects: [
      project(
        "unit",
        [
          "packages/*/src/**/*.test.ts",
          "tools/**/*.test.ts",
          "bench/src/**/*.test.ts",
          "tests/sources/**/*.test.ts",
          NEMESIS_CHECKER,
        ],
        ["**/*.contract.test.ts"],
      ),
      project("contract", ["packages/**/*.contract.test.ts"]),
      project("conformance", ["tests/conformance/**/*.test.ts"]),
      project(
        "integration",
        INTEGRATION.map((folder) => `tests/${folder}/**/*.test.ts`),
      ),
      browserProject(),
      project("cluster", ["tests/cluster/**/*.test.ts"], [NEMESIS_CHECKER], ALONGSIDE),
      project("page", ["tests/browser-page/**/*.test.ts"], [], ALONGSIDE),
      project("package", ["tests/package/**/*.test.ts"]),
    ],
    reporters: ["default", "./tools/totals-reporter.ts"],
    passWithNoTests: true,
    coverage: {
      provider: "v8",
      reportOnFailure: true,
      reporter: ["text-summary", "json-summary", "lcovonly"],
      include: ["packages/*/src/**/*.ts"],
      exclude: ["**/gen/**", "**/*.test.ts", "**/*.test-d.ts", "**/testing/broken*"],
      // Only the full run can reach the bar, so only `npm run coverage` asks for it.
      ...(process.env.ASHLAR_COVERAGE_BAR === "1" ? { thresholds: { lines: 85 } } : {}),
    },
  },
});
