import { AshlarError } from "@ashlar/sdk/errors";
import type { ServerRegistry } from "@ashlar/sdk/ports";
import { openTransport } from "./open-transport.ts";
import { openExistingMetadata } from "./servers/open-metadata.ts";
import type { Settings } from "./settings.ts";

/** Settings that say where the cluster's servers are written down. */
export const CLUSTER_SETTINGS = ["gateway", "path", "apiKey", "transport", "databaseUrl"] as const;

/** Servers and layouts, through a gateway or straight from its database. */
export interface OpenedCluster extends AsyncDisposable {
  readonly registry: Pick<ServerRegistry, "clusterSnapshot" | "changeLayout">;
}

/** @throws {AshlarError} INVALID_ARGUMENT if neither a gateway nor a database is named; BUCKET_NOT_FOUND if the folder holds no store. */
export async function openCluster(
  settings: Pick<Settings<(typeof CLUSTER_SETTINGS)[number]>, (typeof CLUSTER_SETTINGS)[number]>,
): Promise<OpenedCluster> {
  const { gateway: url, path, databaseUrl, apiKey } = settings;
  if (url !== undefined) {
    const transport = await openTransport(settings.transport);
    const authorization = apiKey === undefined ? undefined : () => `Bearer ${apiKey}`;
    const connection = transport.openGateway({ url, authorization });
    return {
      registry: connection.cluster,
      async [Symbol.asyncDispose]() {
        await connection.close();
        await transport.close();
      },
    };
  }
  if (path === undefined && databaseUrl === undefined) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "which cluster? name a gateway with --gateway <url> or ASHLAR_GATEWAY, or set DATABASE_URL",
    );
  }
  const opened = await openExistingMetadata({ path, databaseUrl });
  return { registry: opened.metadata, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}
