/** A gateway whose background work comes every second or two: the command line has no setting for that. The configuration is in `NEMESIS_GATEWAY`. */
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { openPostgresMetadataStore } from "@ashlar/adapters/metadata-store/postgres";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClusterTopology } from "@ashlar/sdk/engine";
import { systemClock, systemRandom } from "@ashlar/sdk/ports";
import { clusterAuthorization, createGateway, createGrantKeeper, createPinoLogger, noMetrics } from "@ashlar/server";
import pg from "pg";

/** What the program takes, as JSON. */
export interface GatewayProgramOptions {
  readonly databaseUrl: string;
  readonly clusterKey: string;
  readonly port: number;
  readonly repairIntervalMs: number;
  readonly collectIntervalMs: number;
  readonly graceMs: number;
  readonly reReplicateAfterMs: number;
}

const given = JSON.parse(process.env.NEMESIS_GATEWAY ?? "{}") as GatewayProgramOptions;
const logger = createPinoLogger({ level: "info", destination: { write: (line) => void process.stderr.write(line) } });
// As the command line opens it.
const pool = new pg.Pool({
  connectionString: given.databaseUrl,
  max: 16,
  connectionTimeoutMillis: 15_000,
  keepAlive: true,
  pipeline: true,
});
pool.on("error", (error) => logger.warn({ error }, "a database connection broke"));
const metadata = await openPostgresMetadataStore({ pool, replicationFactor: 3, logger });
const transport = undiciTransport();
const grants = createGrantKeeper({ clusterKey: given.clusterKey, clock: systemClock, random: systemRandom });
const gateway = createGateway({
  ...{ metadata, grants, logger, port: given.port, durability: "os" },
  topology: createClusterTopology({
    registry: metadata,
    transport,
    authorization: clusterAuthorization(grants, systemClock),
    clock: systemClock,
    logger,
  }),
  ...{
    hasher: nodeCryptoHasher,
    clock: systemClock,
    random: systemRandom,
    metrics: noMetrics,
    softwareVersion: "test",
  },
  maintenance: {
    repairIntervalMs: given.repairIntervalMs,
    collectIntervalMs: given.collectIntervalMs,
    graceMs: given.graceMs,
    reReplicateAfterMs: given.reReplicateAfterMs,
  },
});
const { url } = await gateway.listen();
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.once("SIGTERM", () => {
  void (async () => {
    await gateway.close({ graceMs: 5000 });
    await transport.close();
    await metadata.close();
    await pool.end();
    process.exit(0);
  })();
});
