import { writeFile } from "node:fs/promises";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createPostgresSchema } from "../support/postgres-schema.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { startExample } from "./example-process.ts";
import { isWithoutChromium, launchChromium, openPage } from "./page-driver.ts";

describe.skipIf(isWithoutChromium())("the example, as a new user starts it,", { timeout: 180_000 }, () => {
  let browser: Browser;
  let folder: TempFolder;
  beforeAll(async () => {
    [browser, folder] = await Promise.all([launchChromium(), createTempFolder()]);
  });
  afterAll(async () => {
    await browser?.close();
    await folder?.remove();
  });

  test.each([
    [
      "a store that is away",
      ["--gateway", "http://127.0.0.1:9"],
      { ASHLAR_API_KEY: "none" },
      "the store at http://127.0.0.1:9: ",
    ],
    ["a missing key", ["--gateway", "http://127.0.0.1:9"], {}, "set ASHLAR_API_KEY to a key of http://127.0.0.1:9"],
    ["no address", ["--gateway", "nowhere"], {}, "--gateway nowhere is no address"],
    ["an unknown option", ["--bogus"], {}, "Unknown option '--bogus'"],
  ])("says in words what is wrong: %s", async (title, args, env, told) => {
    const path = folder.at(title.replaceAll(/\W/g, "-"));
    const failing = startExample(["--path", path, ...args], env);
    await expect(failing).rejects.toThrow(`example:browser: ${told}`);
    await expect(failing).rejects.not.toThrow(/ at .*\.ts:/);
  });

  test.each([
    ["one server", []],
    ["one server, and the page from Vite's development server", ["--dev"]],
    ["a cluster of six nodes", ["--cluster"]],
  ])("has a store of its own: %s, and finds its files again", async (title, args) => {
    const path = folder.at(title.replaceAll(/\W/g, "-"));
    await writeFile(folder.at("hello.txt"), "hello");
    const schema = await createPostgresSchema();
    const env = { DATABASE_URL: schema.url };
    const first = await startExample(["--path", path, ...args], env);
    const driver = await openPage(browser, first.pageUrl);
    await driver.choose("Direct", "gRPC-Web", { nodes: args.includes("--cluster") });
    await driver.page.setInputFiles("#files", folder.at("hello.txt"));
    await driver.untilState("hello.txt", "done");
    await driver.close();
    await first.stop();
    const second = await startExample(["--path", path, ...args], env);
    const again = await openPage(browser, second.pageUrl);
    await again.page.getByRole("button", { name: "Preview hello.txt" }).click();
    await again.page.getByRole("dialog").getByText("hello", { exact: true }).waitFor();
    await again.close();
    await second.stop();
    await schema.drop();
  });
});
