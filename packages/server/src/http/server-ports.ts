import type { Clock, Logger } from "@ashlar/sdk/ports";
import { createHttpListener, type HttpListener, type ListenAddress } from "./connection/listener.ts";
import type { TlsOptions } from "./connection/tls.ts";
import type { Descriptors } from "./descriptors.ts";
import type { ServerHandlers } from "./server-handler.ts";

/** Options of {@link createServerPorts}. */
export interface ServerPortsOptions {
  readonly handlers: ServerHandlers;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Port of health, metrics and reflection, which `port` then no longer answers; 0: any free port. Default: `port` answers them too. */
  readonly operationsPort?: number | undefined;
  /** Default: `host`. */
  readonly operationsHost?: string | undefined;
  /** Default: CONNECTIONS_MAX connections, and nobody is told of those that are refused. */
  readonly descriptors?: Descriptors | undefined;
  /** Measures the time limits of clients; default: the system's clock. */
  readonly clock?: Clock | undefined;
  readonly logger: Logger;
}

/** Where a server can be reached. */
export interface ServerAddress extends ListenAddress {
  /** URL of health, metrics and reflection, if they have a port of their own. */
  readonly operationsUrl?: string | undefined;
}

/** All ports of one server. */
export interface ServerPorts extends Omit<HttpListener, "listen"> {
  /** @throws {AshlarError} INVALID_ARGUMENT if an address cannot be used; no port is open then. */
  listen(): Promise<ServerAddress>;
}

/** A server's port, and that of its operations where it has one of its own. */
export function createServerPorts(options: ServerPortsOptions): ServerPorts {
  const { handlers, host, port, tls, operationsPort, operationsHost = host, clock, logger } = options;
  const { connectionsMax, noteRefused } = options.descriptors ?? {};
  const bounds = { connectionsMax, onRefused: noteRefused };
  const main = createHttpListener({ handler: handlers.handler, host, port, tls, clock, logger, ...bounds });
  if (operationsPort === undefined) return main;
  const operations = createHttpListener({
    ...{ handler: handlers.operations, host: operationsHost, port: operationsPort, tls, clock, logger },
  });
  return {
    async listen() {
      const { url: operationsUrl } = await operations.listen();
      try {
        return { ...(await main.listen()), operationsUrl };
      } catch (error) {
        await operations.close({ graceMs: 0 });
        throw error;
      }
    },
    setTls(changed) {
      main.setTls(changed);
      operations.setTls(changed);
    },
    async close(closeOptions) {
      await main.close(closeOptions);
      // Last, so that the shutdown can be watched.
      await operations.close({ graceMs: 0 });
    },
  };
}
