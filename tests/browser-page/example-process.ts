import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CHILD_ENVIRONMENT } from "../support/server-process.ts";

const MAIN = fileURLToPath(new URL("../../examples/browser/main.ts", import.meta.url));
const READY_MS = 60_000;

/** The example's app server, in a process of its own. */
export interface ExampleProcess {
  readonly pageUrl: string;
  readonly storeUrl: string;
  readonly output: () => string;
  stop(): Promise<void>;
}

/** Starts `examples/browser` and waits until it tells the page's address. */
export async function startExample(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ExampleProcess> {
  const child = spawn(process.execPath, ["--conditions=ashlar-source", MAIN, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...CHILD_ENVIRONMENT, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const ended = once(child, "exit");
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const [, storeUrl] = output.match(/^store\s+(http:\S+)/m) ?? [];
    const [, pageUrl] = output.match(/^page\s+(http:\S+)/m) ?? [];
    if (storeUrl !== undefined && pageUrl !== undefined) {
      return {
        ...{ storeUrl, pageUrl, output: () => output },
        async stop() {
          child.kill("SIGTERM");
          await ended;
        },
      };
    }
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      child.kill("SIGKILL");
      throw new Error(`the example does not start: ${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
