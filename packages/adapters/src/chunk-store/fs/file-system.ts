import * as nodeFs from "node:fs/promises";

/** The part of `node:fs/promises` that the store calls; tests put faults in between. */
export type FileSystem = Pick<
  typeof nodeFs,
  "link" | "lstat" | "mkdir" | "open" | "readdir" | "readFile" | "rename" | "stat" | "statfs" | "unlink" | "utimes"
>;

/** The real one. */
export const nodeFileSystem: FileSystem = nodeFs;
