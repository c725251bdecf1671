import { shellWord } from "../shell-word.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import type { ClusterStatus } from "./cluster-status.ts";
import { pathFlag, shorterPath } from "./path-flag.ts";

/** What is told when a cluster is ready. */
export function announcement(folder: ClusterFolder, { url, processes }: ClusterStatus, program: string): string {
  const victim = processes
    .filter(({ kind }) => kind === "node")
    .slice(0, 3)
    .at(-1);
  const apiKeyFile = shorterPath(folder.apiKey);
  return [
    "",
    `gateway   ${url}`,
    `API key   in ${apiKeyFile}, an admin key`,
    `logs      in ${shorterPath(folder.logs)}`,
    "",
    "try, in another terminal:",
    `  export ASHLAR_GATEWAY=${url} ASHLAR_API_KEY=$(cat ${shellWord(apiKeyFile)})`,
    `  head -c 100000000 /dev/urandom | ${program} put - first/random.bin --create-bucket`,
    `  ${program} cluster kill ${victim?.name}${pathFlag(folder.path)}`,
    `  ${program} get first/random.bin - | sha256sum`,
    "",
  ].join("\n");
}
