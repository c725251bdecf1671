import { relative } from "node:path";
import process from "node:process";
import type { ClusterFolder } from "./cluster-folder.ts";

/** What is told when a cluster is ready. */
export function announcement(folder: ClusterFolder, url: string, program: string): string {
  const apiKeyFile = shorter(folder.apiKey);
  return [
    "",
    `gateway   ${url}`,
    `API key   in ${apiKeyFile}, an admin key`,
    `logs      in ${shorter(folder.logs)}`,
    "",
    "try, in another terminal:",
    `  export ASHLAR_GATEWAY=${url} ASHLAR_API_KEY=$(cat '${apiKeyFile}')`,
    `  head -c 100000000 /dev/urandom | ${program} put - first/random.bin --create-bucket`,
    `  ${program} cluster kill node-3${pathFlag(folder)}`,
    `  ${program} get first/random.bin - | sha256sum`,
    "",
  ].join("\n");
}

/** `--path` for commands that are shown, where it is not the default. */
export function pathFlag(folder: ClusterFolder): string {
  const path = shorter(folder.path);
  return path === ".ashlar-cluster" ? "" : ` --path '${path}'`;
}

function shorter(path: string): string {
  const short = relative(process.cwd(), path);
  return short === "" || short.startsWith("..") ? path : short;
}
