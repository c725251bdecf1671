import { expect, test } from "vitest";
import { requiresChromium } from "../support/chromium.ts";

// What the project `browser` runs where there is no Chromium; vitest.config.ts.
const TEXT = "no Chromium here, so nothing was tested in a browser: apt-get install chromium, or set CHROMIUM=<path>";

test("runs in Chromium", (test) => {
  if (requiresChromium()) expect.fail(TEXT);
  process.stdout.write(`browser: ${TEXT}\n`);
  test.skip(TEXT);
});
