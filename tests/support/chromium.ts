/** Where Chromium is, and how tests start it. Downloads nothing: CI and developers install the distribution's package. */
import { accessSync, constants } from "node:fs";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Path of the browser that tests run in: `CHROMIUM` if it is set, else where Linux distributions put it; `undefined` if there is none. */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  return (env.CHROMIUM === undefined ? PLACES : [env.CHROMIUM]).find(isExecutable);
}

/** Whether a run without Chromium is a failure: in CI, and where REQUIRE_BACKENDS names it. */
export function requiresChromium(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  return isOn(env.CI) || (env.REQUIRE_BACKENDS ?? "").split(",").includes("chromium");
}

/** No sandbox (containers and root cannot have one), no calls to Google, no shared memory in the small /dev/shm of containers. */
export const CHROMIUM_ARGS: readonly string[] = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-domain-reliability",
  "--disable-sync",
  "--metrics-recording-only",
  "--no-first-run",
  "--no-pings",
];

function isOn(flag: string | undefined): boolean {
  return flag !== undefined && !["", "0", "false"].includes(flag);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
