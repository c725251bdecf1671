/** Measures {@link MachineLimits} in a process of its own: reads a {@link LimitsTask} as JSON from standard input, prints the limits as JSON. */
import { text } from "node:stream/consumers";
import { measureDisk, measureSmallFiles } from "./disk.ts";
import { measureLoopback } from "./loopback.ts";
import type { LimitsTask, MachineLimits } from "./machine-limits.ts";
import { measureSha256 } from "./sha256.ts";

const task = JSON.parse(await text(process.stdin)) as LimitsTask;
const { folder, sizeBytes, smallFilesMs } = task;
const discard = await measureLoopback({ sizeBytes, hashes: false });
const hashed = await measureLoopback({ sizeBytes, hashes: true });
const limits: MachineLimits = {
  sha256MegabytesPerSecond: measureSha256(sizeBytes),
  diskMegabytesPerSecond: await measureDisk(folder, { sizeBytes, syncEveryBytes: sizeBytes }),
  diskEvery4MibMegabytesPerSecond: await measureDisk(folder, { sizeBytes, syncEveryBytes: 4 * 1024 * 1024 }),
  smallFilesPerSecond1Thread: await measureSmallFiles(folder, { threads: 1, forMs: smallFilesMs }),
  smallFilesPerSecond16Threads: await measureSmallFiles(folder, { threads: 16, forMs: smallFilesMs }),
  httpPutMegabytesPerSecond: discard.put,
  httpGetMegabytesPerSecond: discard.get,
  httpSha256PutMegabytesPerSecond: hashed.put,
  httpSha256GetMegabytesPerSecond: hashed.get,
};
process.stdout.write(`${JSON.stringify(limits)}\n`);
