import { AshlarError } from "@ashlar/sdk/errors";
import type { ServerAddress } from "../../http/index.ts";

/** How many ports above the first are tried. */
const TRIES = 20;

/**
 * Listens on the first free port.
 *
 * @param options.fixed the port was asked for: a taken one is an error.
 * @param listen opens a new listener on that port.
 * @returns what listens, and the ports that were taken.
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
