import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import type { MachineFacts } from "./results.ts";

/** Describes this machine without naming it. @param folder is on the disk that is measured. */
export function machineFacts(folder: string): MachineFacts {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    // Without the suffix of the kernel that says who built it.
    kernel: `${type()} ${/^[\d.]+/.exec(release())?.[0] ?? ""}`.trim(),
    node: process.versions.node,
    fileSystem: fileSystemOf(folder),
  };
}

/** Machines whose results may be compared have one class; part of the results' file name. */
export function hostClass({ cores }: MachineFacts): string {
  return `${process.platform}-${process.arch}-${cores}-core`;
}

function fileSystemOf(folder: string): string {
  try {
    const format = process.platform === "linux" ? ["-f", "-c", "%T", folder] : ["-f", "%T", folder];
    return execFileSync("stat", format, { encoding: "utf8" }).trim().replace("ext2/ext3", "ext4");
  } catch {
    return "unknown";
  }
}
