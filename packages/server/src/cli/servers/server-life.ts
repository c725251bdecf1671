import { AshlarError } from "@ashlar/sdk/errors";
import { type MetadataStore, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../../gateway/index.ts";
import type { ServerAddress, TlsOptions } from "../../http/index.ts";
import type { ServerParts } from "./server-parts.ts";
import { keepTlsFresh } from "./tls-files.ts";

/** How many ports are tried, the first included. */
const TRIES = 20;

/**
 * Listens on the first free port.
 *
 * @param options.fixed the user chose the port: it is an error if it is taken.
 * @param listen opens a new listener on that port.
 * @returns the listener, and the ports that were taken.
 * @throws {AshlarError} INVALID_ARGUMENT if no port is free.
 */
export async function listenOnFreePort<Server>(
  options: { readonly port: number; readonly fixed: boolean },
  listen: (port: number) => Promise<{ readonly server: Server; readonly address: ServerAddress }>,
): Promise<{ readonly server: Server; readonly address: ServerAddress; readonly takenPorts: readonly number[] }> {
  const takenPorts: number[] = [];
  for (let port = options.port; ; port++) {
    try {
      return { ...(await listen(port)), takenPorts };
    } catch (error) {
      if (!isTaken(error)) throw error;
      takenPorts.push(port);
      if (!options.fixed && takenPorts.length < TRIES && port < 65535) continue;
      throw new AshlarError(
        "INVALID_ARGUMENT",
        `port ${options.port} is taken by another program; pick one with --port, or 0 for any free one`,
        { cause: error },
      );
    }
  }
}

function isTaken(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
}

/**
 * Makes the first API key of a store that has none, with all rights.
 *
 * Call it after the server listens: the key is shown only once, and must not get lost in a start that fails.
 *
 * @returns the key, to be shown once; `undefined` if there are keys already.
 */
export async function makeFirstApiKey(metadata: MetadataStore): Promise<string | undefined> {
  const keys = await metadata.listApiKeys();
  if (keys.length > 0) return undefined;
  const { apiKey } = await createApiKey({ metadata, random: systemRandom, name: "first", role: "admin" });
  return apiKey;
}

/**
 * Waits for the signal, takes over renewed certificates meanwhile, then shuts down in order.
 *
 * @param options.close called with the time that running requests may take, in ms.
 */
export async function runUntilStopped(
  signal: AbortSignal,
  options: {
    readonly graceMs: number;
    readonly parts: Pick<ServerParts, "tls" | "tlsFiles" | "descriptors" | "clock" | "logger" | "metrics">;
    readonly server: { setTls(tls: TlsOptions): void };
    readonly close: (graceMs: number) => Promise<void>;
  },
): Promise<void> {
  const { parts, server } = options;
  const { tls, tlsFiles, logger } = parts;
  void parts.descriptors.run(signal);
  if (tls !== undefined && tlsFiles !== undefined)
    void keepTlsFresh(tlsFiles, { ...parts, current: tls, server, signal });
  if (!signal.aborted) {
    // A listener on the signal does not keep the process alive once other code has closed the port.
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  logger.info({ graceMs: options.graceMs }, "shutting down; running requests may finish");
  await options.close(options.graceMs);
  logger.info({}, "stopped");
}
