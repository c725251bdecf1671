/** One thread of `measureSmallFiles`: writes, syncs and renames 4 KiB files for a while, and posts how many. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";

/** Input of the thread. */
export interface SmallFilesTask {
  /** Its own folder; made here. */
  readonly folder: string;
  readonly forMs: number;
}

const FILE_BYTES = 4096;
const { folder, forMs } = workerData as SmallFilesTask;
mkdirSync(folder);
const bytes = Buffer.alloc(FILE_BYTES, 7);
const temporary = join(folder, "temporary");
let count = 0;
for (const startedAtMs = performance.now(); performance.now() - startedAtMs < forMs; count++) {
  const file = openSync(temporary, "w");
  writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, join(folder, String(count)));
}
parentPort?.postMessage(count);
