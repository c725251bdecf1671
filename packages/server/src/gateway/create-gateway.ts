import { guardedLogger, guardedTracer, type ObjectEngine } from "@ashlar/sdk/ports";
import type { TlsOptions } from "../http/connection/tls.ts";
import type { FetchHandler } from "../http/fetch-handler.ts";
import { createServerPorts, type ServerAddress } from "../http/server-ports.ts";
import { createMaintenance, type Maintenance, type MaintenanceOptions } from "../maintenance/index.ts";
import { createGatewayCore, type GatewayCore, type GatewayCoreOptions } from "./gateway-core.ts";

/** What {@link createGateway} takes: the options of its core, and where it listens. */
export interface GatewayOptions extends Omit<GatewayCoreOptions, "operationsApart"> {
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Port of health, metrics and reflection; `port` then no longer has them. 0: any free port. Default: `port` has them too. */
  readonly operationsPort?: number | undefined;
  /** Default: `host`. */
  readonly operationsHost?: string | undefined;
  /** Background work while the gateway listens, with its settings; `false`: none (another gateway does it). Default: on. */
  readonly maintenance?: Partial<Pick<MaintenanceOptions, MaintenanceSetting>> | false | undefined;
}

type MaintenanceSetting =
  | "collectIntervalMs"
  | "repairIntervalMs"
  | "repairBytesPerSecond"
  | "reReplicateAfterMs"
  | "graceMs"
  | "uploadTtlMs"
  | "scrubPeriodMs"
  | "scrubBytesPerSecond";

/** A gateway: stateless, so any number may serve one database. */
export interface Gateway {
  /** Opens the port and starts background work. @throws {AshlarError} INVALID_ARGUMENT if the address cannot be used. */
  listen(): Promise<ServerAddress>;
  /** Gives new connections another certificate. @throws {AshlarError} INVALID_ARGUMENT if it cannot be used; the old one stays. */
  setTls(tls: TlsOptions): void;
  /** Lets running requests finish for `graceMs` (default SHUTDOWN_GRACE_MS), then closes engine and topology. Idempotent. */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
  /** Serves a request without a port, for fetch-style servers; gRPC proper needs the port. */
  readonly fetch: FetchHandler;
  /** The object API, in process and without access control. */
  readonly engine: ObjectEngine;
}

/**
 * Creates a gateway: the object engine behind RPCs, plain HTTP and a chunk API, on one port, and its maintenance. Core, ports and maintenance can
 * also be used alone: `createGatewayCore`, `createServerPorts` and `createMaintenance`.
 *
 * @throws {AshlarError} INVALID_ARGUMENT without a cluster key, unless insecure.
 */
export function createGateway(given: GatewayOptions): Gateway {
  const options = { ...given, logger: guardedLogger(given.logger), tracer: guardedTracer(given.tracer) };
  const { logger } = options;
  let maintenance: Maintenance | undefined;
  const core = createGatewayCore({
    ...options,
    remainingWork: options.remainingWork ?? (() => maintenance?.remainingWork()),
    operationsApart: options.operationsPort !== undefined,
  });
  const listener = createServerPorts({ ...options, handlers: core.handlers });
  maintenance = maintenanceBeside(core, options);

  let closing: Promise<void> | undefined;
  const close = async (graceMs: number | undefined): Promise<void> => {
    core.stop();
    await listener.close({ graceMs });
    // After the last write: when maintenance stops, it takes the database one step further.
    await maintenance?.stop();
    await core.close();
  };
  return {
    async listen() {
      const address = await listener.listen();
      core.start();
      maintenance?.start();
      logger.info({ url: address.url, insecure: core.insecure }, "gateway listens");
      if (core.insecure) logger.warn({}, "access control is off: everybody who reaches this port may do everything");
      return address;
    },
    close(closeOptions) {
      closing ??= close(closeOptions?.graceMs);
      return closing;
    },
    setTls: (tls) => listener.setTls(tls),
    fetch: core.fetch,
    engine: core.engine,
  };
}

/** Uses the core's own stores, so that both share what is known of the nodes. */
function maintenanceBeside({ topology, chunks }: GatewayCore, options: GatewayOptions): Maintenance | undefined {
  if (options.maintenance === false) return undefined;
  return createMaintenance({ ...options, topology, chunks, ...options.maintenance });
}
