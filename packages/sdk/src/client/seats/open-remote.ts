import { createEngine } from "../../engine/create-engine.ts";
import type { EngineOptions } from "../../engine/engine-context.ts";
import { retrying } from "../../engine/retry.ts";
import type { Topology } from "../../engine/topology.ts";
import { webCryptoHasher } from "../../hash/web-crypto-hasher.ts";
import { guardedLogger } from "../../ports/guarded-logger.ts";
import type { Clock, GatewayConnection, Logger, Transport } from "../../ports/index.ts";
import { systemClock, systemRandom } from "../../ports/system.ts";
import { callersChunker, callersHasher } from "../caller-parts.ts";
import type { OpenedSeat } from "../seat.ts";
import { createKeyHolder, renewingConnection } from "./key-holder.ts";
import type { RemoteSeatOptions } from "./remote-options.ts";

/** What a topology is made of. */
export interface TopologyParts {
  readonly connection: GatewayConnection;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The engine over a gateway's metadata, and over the chunk stores that the seat chooses. */
export function openRemote(
  options: RemoteSeatOptions,
  transport: Transport,
  topologyOf: (parts: TopologyParts) => Topology,
): OpenedSeat {
  const { clock = systemClock, random = systemRandom } = options;
  const hasher = options.hasher ? callersHasher(options.hasher) : webCryptoHasher;
  const logger = guardedLogger(options.logger);
  const connection = openConnection(options, transport);
  const { durability, hedgeAfterMs, retry } = options;
  const { catalog, grants } = connection;
  const topology = topologyOf({ connection, clock, logger });
  const parts: EngineOptions = { catalog, grants, topology, hasher, clock, random, logger };
  const engine = createEngine({
    ...parts,
    chunker: callersChunker(options.chunker),
    durability,
    hedgeAfterMs,
    retry,
  });
  const cluster = retrying(connection.cluster, { clock, random, retry });
  const accessTokens = retrying(connection.accessTokens, { clock, random, retry });
  return {
    engine,
    clock,
    cluster: (call) => cluster.clusterSnapshot(call),
    createAccessToken: ({ bucket, prefix, role, expiresInMs }, call) =>
      accessTokens.createAccessToken({ bucket, prefix, role, expiresInMs }, call),
    async close() {
      await engine.close();
      await connection.close();
      await transport.close();
    },
  };
}

function openConnection({ url, apiKey }: RemoteSeatOptions, transport: Transport): GatewayConnection {
  if (apiKey === undefined) return transport.openGateway({ url });
  if (typeof apiKey === "string") return transport.openGateway({ url, authorization: () => `Bearer ${apiKey}` });
  const holder = createKeyHolder(apiKey);
  const authorization = async (): Promise<string> => `Bearer ${await holder.get()}`;
  return renewingConnection(transport.openGateway({ url, authorization }), holder);
}
