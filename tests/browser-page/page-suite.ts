import type { Browser } from "playwright";
import { afterAll, beforeAll, describe } from "vitest";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";
import { type PageCluster, startPageCluster } from "./page-cluster.ts";
import { isWithoutChromium, launchChromium, openPage, type PageDriver, type PageOptions } from "./page-driver.ts";

const TEST_MS = 180_000;

/** What the tests of one file share. */
export interface PageSuite {
  readonly cluster: PageCluster;
  readonly browser: Browser;
  readonly folder: TempFolder;
  /** Opens the page in a browser profile of its own. */
  open(options?: Omit<PageOptions, "context">): Promise<PageDriver>;
}

/** A cluster, the example in front of it, and a browser, for the tests that `define` defines. Skipped where there is no Chromium. */
export function describePage(
  title: string,
  define: (suite: PageSuite) => void,
  options: { readonly exampleArgs?: readonly string[] } = {},
): void {
  describe.skipIf(isWithoutChromium())(title, { timeout: TEST_MS }, () => {
    let parts: Omit<PageSuite, "open"> | undefined;
    const started = (): Omit<PageSuite, "open"> => {
      if (parts === undefined) throw new Error("not started");
      return parts;
    };
    beforeAll(async () => {
      const [cluster, browser, folder] = await Promise.all([
        startPageCluster(options.exampleArgs),
        launchChromium(),
        createTempFolder(),
      ]);
      parts = { cluster, browser, folder };
    }, TEST_MS);
    afterAll(async () => {
      await parts?.browser.close();
      await parts?.cluster.close();
      await parts?.folder.remove();
    });
    define({
      get cluster() {
        return started().cluster;
      },
      get browser() {
        return started().browser;
      },
      get folder() {
        return started().folder;
      },
      open: (how) => openPage(started().browser, started().cluster.example.pageUrl, how),
    });
  });
}
