import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { defineBrowserBundles } from "./browser-bundles.ts";
import { defineConsumerTypes } from "./consumer-types.ts";
import { defineNodejsBundles } from "./nodejs-bundles.ts";
import { defineNodejsLines } from "./nodejs-lines.ts";
import { createProject, filesOf, PACKAGES, packPackages, ROOT, readManifest, runModule } from "./packed-project.ts";
import { defineWithoutGrpcJs } from "./without-grpc-js.ts";

const run = promisify(execFile);
const PEERS = ["undici", "pg", "@grpc/grpc-js", "@connectrpc/connect-node"];

let folder: TempFolder;
let tarballs: ReadonlyMap<string, string>;

beforeAll(async () => {
  folder = await createTempFolder();
  tarballs = await packPackages(folder.at("packed"));
  await createProject(folder.at("small"), { tarballs, packages: ["@ashlar/sdk", "@ashlar/adapters"], thirdParty: [] });
  await createProject(folder.at("whole"), { tarballs, packages: [...tarballs.keys()], thirdParty: PEERS });
  const thirdParty = PEERS.filter((name) => name !== "@grpc/grpc-js");
  await createProject(folder.at("server"), { tarballs, packages: [...tarballs.keys()], thirdParty });
}, 300_000);
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe.each(PACKAGES)("@ashlar/%s as it is packed", (name) => {
  test("holds bundles, declarations, sources and the licence, but no tests", async () => {
    const files = await filesOf(tarballs.get(`@ashlar/${name}`)!);
    expect(files).toContain("package.json");
    expect(files).toContain("LICENSE");
    expect(files).toContain("README.md");
    expect(files.filter((file) => /\.(test|contract|test-d)\./.test(file))).toEqual([]);
    const { exports } = await readManifest(join(ROOT, "packages", name));
    for (const target of Object.values(exports)) {
      if (typeof target === "string") continue;
      for (const file of Object.values(target)) expect(files).toContain(file.replace("./", ""));
    }
  });

  test("depends on nothing that only this workspace knows", async () => {
    const manifest = await readManifest(folder.at("whole", "node_modules", "@ashlar", name));
    const ranges = Object.values({ ...manifest.dependencies, ...manifest.peerDependencies });
    expect(ranges.filter((range) => /^(workspace|catalog|link|file):/.test(range))).toEqual([]);
  });

  test("can be imported by every subpath, and exports the names in the snapshot", async () => {
    const { exports } = await readManifest(join(ROOT, "packages", name));
    const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
    const specifiers = subpaths.map((subpath) => `@ashlar/${name}${subpath.slice(1)}`);
    // The contract suites need a running vitest: they are found, not loaded.
    const loaded = specifiers.filter((specifier) => !specifier.endsWith("/testing"));
    const script = [
      `const specifiers = ${JSON.stringify(specifiers)};`,
      "for (const specifier of specifiers) import.meta.resolve(specifier);",
      "const names = {};",
      `for (const specifier of ${JSON.stringify(loaded)}) names[specifier] = Object.keys(await import(specifier)).sort();`,
      "console.log(JSON.stringify(names, null, 2));",
    ].join("\n");
    const names = await runModule(folder.at("whole"), script);
    await expect(names).toMatchFileSnapshot(`./exports-of-${name}.txt`);
  });
});

describe("an app with only the SDK and the adapters", () => {
  test("stores and reads in a folder without any of the optional packages", async () => {
    writeFileSync(folder.at("small", "cat.jpg"), Buffer.alloc(3_000_000, "cat"));
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    const [, app = ""] = readme.match(/<!-- run -->\n```ts\n([\s\S]*?)\n```/) ?? [];
    expect(app).toContain("embedded(");
    expect(await runModule(folder.at("small"), app)).toContain("3000000 1024");
  });

  test("gets from the seats that need undici an error that says to install it", async () => {
    const app = [
      'import { createClient } from "@ashlar/sdk";',
      'import { gateway } from "@ashlar/adapters/node";',
      'await using client = createClient(gateway({ url: "http://127.0.0.1:1" }));',
      "await client.listBuckets().catch(({ code, message }) => console.log(code, message));",
    ].join("\n");
    expect(await runModule(folder.at("small"), app)).toMatch(/^UNSUPPORTED .*npm install undici/);
  });

  test("sees errors by the name of their class", async () => {
    const app = 'import { AshlarError } from "@ashlar/sdk"; console.log(AshlarError.name);';
    expect(await runModule(folder.at("small"), app)).toBe("AshlarError\n");
  });
});

describe("the installed command line", () => {
  const ashlar = async (...argv: string[]): Promise<string> =>
    (await run(folder.at("whole", "node_modules", ".bin", "ashlar"), argv, { cwd: folder.path })).stdout;

  test("runs", async () => {
    const { version } = await readManifest(join(ROOT, "packages", "server"));
    expect(await ashlar("--version")).toBe(`${version}\n`);
    await ashlar("put", join(ROOT, "LICENSE"), "box/licence", "--create-bucket", "--path", folder.at("store"));
    expect(await ashlar("get", "box/licence", "-", "--path", folder.at("store"))).toBe(
      await readFile(join(ROOT, "LICENSE"), "utf8"),
    );
  });
});

describe("the packages in a project of their own", () => {
  defineNodejsLines(() => folder.at("whole"));
  defineBrowserBundles(() => folder.at("whole"));
  defineConsumerTypes(() => folder.at("small"));
  defineNodejsBundles(() => folder.at("small"));
  defineWithoutGrpcJs(() => folder.at("server"));
});
