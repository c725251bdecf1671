import { createClusterTopology } from "@ashlar/sdk/engine";
import type { Durability } from "@ashlar/sdk/ports";
import { tracedTransport } from "@ashlar/sdk/tracing";
import { createGateway } from "../../gateway/index.ts";
import { clusterAuthorization, createGrantKeeper } from "../../grants/index.ts";
import type { ServerAddress } from "../../http/index.ts";
import type { CommandCall } from "../command.ts";
import { openTransport } from "../open-client.ts";
import { requireClusterKey } from "./cluster-key.ts";
import { openMetadata } from "./open-metadata.ts";
import { listenOnFreePort, makeFirstApiKey, runUntilStopped } from "./server-life.ts";
import { createServerParts } from "./server-parts.ts";
import type { GATEWAY_SETTINGS } from "./server-settings.ts";

type Call = CommandCall<(typeof GATEWAY_SETTINGS)[number]>;

/** `ashlar gateway`: runs until the signal. */
export async function runGateway(call: Call): Promise<number> {
  const { settings, io, signal } = call;
  const parts = await createServerParts(settings, io);
  const { logger, clock, tracer } = parts;
  const clusterKey = await requireClusterKey(settings, logger);
  const grants = clusterKey === undefined ? undefined : createGrantKeeper({ ...parts, clusterKey });
  const { databaseUrl, path, replicationFactor } = settings;
  const { collectIntervalMs, reReplicateAfterMs, repairBytesPerSecond } = settings;
  await using opened = await openMetadata({ databaseUrl, path, replicationFactor, logger, tracer });
  const { metadata } = opened;
  const transport = tracedTransport(await openTransport("undici"), tracer);
  try {
    const { server, address, takenPorts } = await listenOnFreePort(
      { port: settings.port, fixed: call.given.has("port") },
      async (port) => {
        const authorization = grants && clusterAuthorization(grants, clock);
        const gateway = createGateway({
          ...parts,
          metadata,
          topology: createClusterTopology({ registry: metadata, transport, authorization, clock, logger }),
          grants,
          port,
          durability: settings.durability as Durability | undefined,
          maintenance: { collectIntervalMs, reReplicateAfterMs, repairBytesPerSecond },
        });
        try {
          return { server: gateway, address: await gateway.listen() };
        } catch (error) {
          await gateway.close({ graceMs: 0 });
          throw error;
        }
      },
    );
    call.setTitle(`gateway :${new URL(address.url).port}`);
    const apiKey = settings.insecure ? undefined : await makeFirstApiKey(metadata);
    await announce(call, { ...address, apiKey, takenPorts });
    const close = (graceMs: number): Promise<void> => server.close({ graceMs });
    await runUntilStopped(signal, { graceMs: settings.shutdownGraceMs, parts, server, close });
    return 0;
  } finally {
    await transport.close();
  }
}

async function announce(
  { settings, output }: Call,
  facts: Pick<ServerAddress, "url" | "operationsUrl"> & {
    readonly apiKey: string | undefined;
    readonly takenPorts: readonly number[];
  },
): Promise<void> {
  const { insecure } = settings;
  const { url, operationsUrl, apiKey, takenPorts } = facts;
  const lines = [
    ...(takenPorts.length === 0 ? [] : [`port ${takenPorts.join(", ")} taken by another program; --port picks one`]),
    `gateway listens on ${url}`,
    ...(operationsUrl === undefined ? [] : [`health and metrics on ${operationsUrl}`]),
    ...(insecure ? ["ACCESS CONTROL IS OFF (--insecure): everybody who reaches this port may do everything"] : []),
    ...(apiKey === undefined ? [] : [`first API key, an admin key, shown this once: ${apiKey}`]),
  ];
  await output.result({ url, operationsUrl, insecure, apiKey, takenPorts }, lines.join("\n"));
}
