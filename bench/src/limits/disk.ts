import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { uniqueSlices } from "../load/unique-body.ts";
import { megabytesPerSecond } from "../statistics.ts";
import type { SmallFilesTask } from "./small-files-thread.ts";

/** One file, written in pieces of 1 MiB with an fdatasync after each `syncEveryBytes` and at the end, in MB/s. */
export async function measureDisk(
  folder: string,
  { sizeBytes, syncEveryBytes }: { readonly sizeBytes: number; readonly syncEveryBytes: number },
): Promise<number> {
  const path = join(folder, "sequential");
  const file = await open(path, "w");
  try {
    const startedAtMs = performance.now();
    let written = 0;
    for await (const piece of uniqueSlices(sizeBytes)) {
      written += (await file.write(piece)).bytesWritten;
      if (written % syncEveryBytes === 0 || written === sizeBytes) await file.datasync();
    }
    return megabytesPerSecond(written, performance.now() - startedAtMs);
  } finally {
    await file.close();
    await rm(path);
  }
}

/** New files of 4 KiB, each written, synced and renamed, by threads that share nothing but the disk, in files per second. */
export async function measureSmallFiles(
  folder: string,
  { threads, forMs }: { readonly threads: number; readonly forMs: number },
): Promise<number> {
  const counts = Array.from({ length: threads }, async (_, index) => {
    const workerData: SmallFilesTask = { folder: join(folder, `small-${index}`), forMs };
    const [count] = await once(
      new Worker(new URL("./small-files-thread.ts", import.meta.url), { workerData }),
      "message",
    );
    return Number(count);
  });
  const total = (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
  for (let index = 0; index < threads; index++) await rm(join(folder, `small-${index}`), { recursive: true });
  return (total / forMs) * 1000;
}
