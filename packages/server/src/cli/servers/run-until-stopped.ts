import type { TlsOptions } from "../../http/index.ts";
import type { ServerParts } from "./server-parts.ts";
import { keepTlsFresh } from "./tls-files.ts";

/**
 * Waits for the signal, keeps the certificate fresh meanwhile, then shuts down in order.
 *
 * @param options.close is given the time that running requests may take, in ms.
 */
export async function runUntilStopped(
  signal: AbortSignal,
  options: {
    readonly graceMs: number;
    readonly parts: Pick<ServerParts, "tls" | "tlsFiles" | "clock" | "logger" | "metrics">;
    readonly server: { setTls(tls: TlsOptions): void };
    readonly close: (graceMs: number) => Promise<void>;
  },
): Promise<void> {
  const { parts, server } = options;
  const { tls, tlsFiles, logger } = parts;
  if (tls !== undefined && tlsFiles !== undefined)
    void keepTlsFresh(tlsFiles, { ...parts, current: tls, server, signal });
  if (!signal.aborted) {
    // A listener alone does not keep the process alive once the port is closed from elsewhere.
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  logger.info({ graceMs: options.graceMs }, "shutting down; running requests may finish");
  await options.close(options.graceMs);
  logger.info({}, "stopped");
}
