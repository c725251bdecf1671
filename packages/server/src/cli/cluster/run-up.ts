import { silentLogger } from "@ashlar/sdk/ports";
import {
  type ClusterFolder,
  type ClusterStatus,
  clusterFolder,
  type ProcessView,
  runCluster,
  startDetached,
} from "../../local-cluster/index.ts";
import { SETTINGS, type Setting } from "../config.ts";
import { keepClusterKey } from "../servers/cluster-key.ts";
import { openMetadata } from "../servers/open-metadata.ts";
import { pathFlag, shellWord, shorterPath } from "../shown-command.ts";
import { advised } from "./cluster-advice.ts";
import { flagsOf, launchCli, serverPrograms } from "./cluster-servers.ts";
import { UP_SETTINGS, type UpCall } from "./cluster-settings.ts";
import { createStatusDisplay } from "./status-display.ts";

/** `cluster up`: runs the cluster until the signal or `cluster down`. With `--detach`: starts it in the background and returns when it is ready. */
export async function runUp(call: UpCall): Promise<number> {
  const folder = clusterFolder(call.settings.clusterPath);
  await advised(call, () => (call.settings.detach ? runDetached(call, folder) : runAttached(call, folder)));
  return 0;
}

async function runAttached(call: UpCall, folder: ClusterFolder): Promise<void> {
  const { settings, output, io, signal, program } = call;
  call.setTitle(`cluster ${folder.path}`);
  await runCluster({
    folder,
    settings,
    replicationFactor: settings.replicationFactor,
    graceMs: settings.shutdownGraceMs,
    programs: serverPrograms(folder, settings),
    openDatabase: openMetadata,
    makeClusterKey: () => keepClusterKey(folder.path, silentLogger),
    onLeftovers: (names) => output.note(leftoversText(names)),
    watch: (views: () => readonly ProcessView[]) => {
      const display = createStatusDisplay(io, output, views);
      const ready = (status: ClusterStatus): Promise<void> =>
        display.print({ event: "ready", ...status }, announcement(folder, status, program));
      return { update: display.update, ready, end: display.end };
    },
    signal,
  });
}

async function runDetached(call: UpCall, folder: ClusterFolder): Promise<void> {
  const { settings, output, program, signal } = call;
  const { databaseUrl } = settings;
  const launch = launchCli(
    // With --json its last line is its error, with code and details.
    ["cluster", "up", ...givenFlags(call), "--path", folder.path, "--json"],
    databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl },
  );
  const onLeftovers = (names: readonly string[]): void => output.note(leftoversText(names));
  const status = await startDetached(folder, { launch, signal, onLeftovers });
  await output.result({ event: "ready", ...status }, announcement(folder, status, program));
  output.note(`it runs in the background; stop it with ${program} cluster down${pathFlag(folder.path)}`);
}

const leftoversText = (names: readonly string[]): string => `stopped processes of an earlier run: ${names.join(", ")}`;

/** The flags that were given, for the background process. Leaves out secrets, `--detach` and the flags that `runDetached` sets. */
function givenFlags({ settings, given }: UpCall): readonly string[] {
  const own: readonly string[] = ["clusterPath", "detach", "json"];
  return flagsOf(
    settings,
    UP_SETTINGS.filter((name) => given.has(name) && !own.includes(name) && !(SETTINGS[name] as Setting).secret),
  );
}

/** What is printed when a cluster is ready. */
function announcement(folder: ClusterFolder, { url, processes }: ClusterStatus, program: string): string {
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
