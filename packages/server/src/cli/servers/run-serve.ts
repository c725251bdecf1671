import type { Durability } from "@ashlar/sdk/ports";
import type { CommandCall } from "../command.ts";
import { shellWord } from "../shown-command.ts";
import { type AllInOne, startAllInOne } from "./all-in-one.ts";
import { readClusterKey } from "./cluster-key.ts";
import { runUntilStopped } from "./run-until-stopped.ts";
import { createServerParts } from "./server-parts.ts";
import type { SERVE_SETTINGS } from "./server-settings.ts";
import { tryCommands } from "./try-commands.ts";

type Call = CommandCall<(typeof SERVE_SETTINGS)[number]>;

/** `ashlar serve`: runs until the signal. */
export async function runServe(call: Call): Promise<number> {
  const { settings, io, signal } = call;
  const parts = await createServerParts(settings, io);
  const server = await startAllInOne({
    parts,
    path: settings.servePath,
    port: settings.port,
    fixedPort: call.given.has("port"),
    clusterKey: await readClusterKey(settings, parts.logger),
    durability: settings.durability as Durability | undefined,
    collectIntervalMs: settings.collectIntervalMs,
  });
  call.setTitle(`serve :${new URL(server.address.url).port}`);
  await announce(call, server);
  await runUntilStopped(signal, {
    graceMs: settings.shutdownGraceMs,
    parts,
    server,
    close: (graceMs) => server.close(graceMs),
  });
  return 0;
}

async function announce({ settings, output, program }: Call, server: AllInOne): Promise<void> {
  const { address, firstApiKey, path, takenPorts } = server;
  const { insecure } = settings;
  const lines = [
    ...(takenPorts.length === 0 ? [] : [`port ${takenPorts.join(", ")} taken by another program; --port picks one`]),
    `ashlar serves ${path}`,
    `address      ${address.url}`,
    ...(address.operationsUrl === undefined ? [] : [`operations   ${address.operationsUrl}`]),
    `credentials  ${credentialsLine(server, insecure, program)}`,
    "",
    "try:",
    ...tryCommands({ url: address.url, apiKey: firstApiKey, insecure, program }).flatMap(({ label, command }) => [
      `  # ${label}`,
      `  ${command}`,
    ]),
    "",
    "Ctrl-C stops it",
  ];
  await output.result(
    { url: address.url, operationsUrl: address.operationsUrl, path, insecure, apiKey: firstApiKey, takenPorts },
    lines.join("\n"),
  );
}

function credentialsLine({ firstApiKey, path }: AllInOne, insecure: boolean, program: string): string {
  if (insecure) return "NONE: started with --insecure, everybody who reaches this port may do everything";
  if (firstApiKey !== undefined) return `${firstApiKey}   (an admin key, shown this once)`;
  return `shown at the first start; a new key: export ASHLAR_API_KEY=$(${program} key create --path ${shellWord(path)})`;
}
