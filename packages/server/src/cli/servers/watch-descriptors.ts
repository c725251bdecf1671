import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { devNull } from "node:os";
import type { Clock, Logger } from "@ashlar/sdk/ports";
import type { Descriptors } from "../../http/index.ts";
import { HTTP_LIMITS } from "../../http/index.ts";

/** What a process has open before a client comes: its own files, pipes and threads. */
const DESCRIPTORS_AT_REST = 64;
/** Less would be no server. */
const CONNECTIONS_MIN = 16;
/** How often a descriptor is tried. */
const LOOK_MS = 1000;
/** How long a refused connection counts. */
const REFUSED_MS = 5000;
/** Clients come again and again: one line in this time. */
const QUIET_MS = 10 * 60 * 1000;

const REMEDY =
  "see who holds so many connections, or let the server have more descriptors (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of containers)";

/** What {@link watchDescriptors} takes. */
export interface DescriptorWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Most descriptors of this process; `undefined` if that is not known. Default: what Linux says. */
  readonly limit?: number | undefined;
  /** Opens something, and closes it. Default: a device that is always there. */
  readonly tryOne?: (() => Promise<void>) | undefined;
}

/** Descriptors that are looked at from time to time. */
export interface DescriptorWatch extends Descriptors {
  /** Looks until the signal, and logs what it finds: once in ten minutes. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Bounds the connections of a server by the descriptors of its process, half of what is not needed at rest, and notices when none is left: those who
 * hold connections must not keep the server from opening the files that they ask for.
 */
export function watchDescriptors(options: DescriptorWatchOptions): DescriptorWatch {
  const { clock, logger, tryOne = openOne } = options;
  const limit = "limit" in options ? options.limit : descriptorLimit();
  const connectionsMax = connectionsFor(limit);
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  let refusedCount = 0;
  const report = (message: string): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs - loggedAtMs < QUIET_MS) return;
    loggedAtMs = nowMs;
    logger.error({ descriptorsMax: limit, connectionsMax, refusedCount }, `${message}: ${REMEDY}`);
  };
  const areUsedUp = async (): Promise<boolean> => {
    try {
      await tryOne();
    } catch (error) {
      if (!isShortage(error)) throw error;
      report("no file descriptor is left");
      return true;
    }
    return clock.monotonicMs() - refusedAtMs < REFUSED_MS;
  };
  return {
    connectionsMax,
    areUsedUp,
    noteRefused() {
      refusedAtMs = clock.monotonicMs();
      refusedCount++;
      report("connections are refused, because as many are open as this server takes");
    },
    async run(signal) {
      if (connectionsMax < HTTP_LIMITS.CONNECTIONS_MAX.value)
        logger.warn({ descriptorsMax: limit, connectionsMax }, `there are few file descriptors: ${REMEDY}`);
      let wereUsedUp = false;
      let toldAtMs = loggedAtMs;
      for (;;) {
        try {
          await clock.sleep(LOOK_MS, { signal });
        } catch {
          return;
        }
        const nowUsedUp = await areUsedUp().catch(() => wereUsedUp);
        // As often as the line that it ends.
        if (wereUsedUp && !nowUsedUp && loggedAtMs !== toldAtMs) {
          toldAtMs = loggedAtMs;
          logger.info({ refusedCount }, "there are file descriptors again");
        }
        wereUsedUp = nowUsedUp;
      }
    },
  };
}

/** How many connections a server takes whose process may have so many descriptors. */
function connectionsFor(limit: number | undefined): number {
  const most = HTTP_LIMITS.CONNECTIONS_MAX.value;
  if (limit === undefined) return most;
  return Math.min(most, Math.max(CONNECTIONS_MIN, Math.floor((limit - DESCRIPTORS_AT_REST) / 2)));
}

/** Node raises the soft limit to the hard one when it starts. */
function descriptorLimit(): number | undefined {
  try {
    const [, found] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}

async function openOne(): Promise<void> {
  await (await open(devNull)).close();
}

function isShortage(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EMFILE" || error.code === "ENFILE");
}
