import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("upload-program.ts", import.meta.url));

/** An upload that runs in a process of its own, and never ends by itself. */
export interface UploadProcess {
  /** Resolves when the store has acknowledged this many bytes. */
  reached(bytes: number): Promise<void>;
  /** Kills the process like a crash would. */
  kill(): Promise<void>;
}

/** Where the upload goes: a folder, or a gateway. */
export type UploadTarget =
  | { readonly seat: "embedded"; readonly path: string }
  | { readonly seat: "gateway" | "direct"; readonly url: string; readonly apiKey: string };

/** Starts an endless upload to an object, in chunks of 256 KiB. */
export function startUploadProcess(
  target: UploadTarget,
  ref: { readonly bucket: string; readonly key: string },
): UploadProcess {
  const input = JSON.stringify({ ...target, ...ref });
  const child = spawn(process.execPath, ["--conditions=ashlar-source", PROGRAM, input], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let transferredBytes = 0;
  const waiting = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line !== "") transferredBytes = Number(line);
    for (const wake of waiting) wake();
  });
  const exited = once(child, "exit");
  return {
    async reached(bytes) {
      const arrived = new Promise<void>((resolve) => {
        const look = (): void => {
          if (transferredBytes < bytes) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
      const early = exited.then(() => {
        throw new Error(`the upload ended after ${transferredBytes} bytes`);
      });
      await Promise.race([arrived, early]);
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
