import { createServer } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Random, systemRandom } from "@ashlar/sdk/ports";
import { clusterError } from "./cluster-problem.ts";

export const LOOPBACK = "127.0.0.1";

/** Below the ports that systems give to outgoing connections, so that a remembered port stays free. */
const FIRST_RANDOM_PORT = 20_000;
const RANDOM_PORTS = 10_000;
const RANDOM_TRIES = 200;

/** Whether something could listen on a port of the loopback address now. */
export function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Picks a free port.
 *
 * @param taken ports that are planned for something else.
 * @throws {AshlarError} OVERLOADED if none is found.
 */
export async function pickPort(taken: ReadonlySet<number>, random: Random = systemRandom): Promise<number> {
  for (let tries = 0; tries < RANDOM_TRIES; tries++) {
    const port = FIRST_RANDOM_PORT + Math.floor(random.fraction() * RANDOM_PORTS);
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new AshlarError("OVERLOADED", `no free port found between ${FIRST_RANDOM_PORT} and 30000`);
}

/** The first free one of `count` ports from `first` on. @returns `undefined` if all are taken. */
export async function firstFreePort(first: number, count: number): Promise<number | undefined> {
  for (let port = first; port < first + count; port++) if (await isPortFree(port)) return port;
  return undefined;
}

/** A port and who wants it. */
export interface WantedPort {
  readonly owner: string;
  readonly port: number;
  /** The option that sets it. */
  readonly option: "gatewayPort" | "nodePort" | "postgresPort";
}

/**
 * Makes sure that all ports are free, and that no two are the same.
 *
 * @throws {AshlarError} INVALID_ARGUMENT naming the port, whose it is, and the option that changes it.
 */
export async function assertPortsFree(wanted: readonly WantedPort[]): Promise<void> {
  const owners = new Map<number, WantedPort>();
  for (const want of wanted) {
    const other = owners.get(want.port);
    if (other !== undefined) {
      throw clusterError("PORT_WANTED_TWICE", `port ${want.port} is wanted by ${other.owner} and by ${want.owner}`, {
        options: [other.option, want.option],
      });
    }
    owners.set(want.port, want);
  }
  for (const { port, owner, option } of wanted) {
    if (await isPortFree(port)) continue;
    throw clusterError("PORT_TAKEN", `port ${port} of ${owner} is taken by another program`, { options: [option] });
  }
}
