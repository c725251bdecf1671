import { assertFunctions, callWatcher, LOGGER_FUNCTIONS } from "../internal/app-functions.ts";
import type { LogFields, Logger } from "./logger.ts";
import { silentLogger } from "./system.ts";

const guarded = new WeakSet<Logger>([silentLogger]);

/**
 * Wraps the app's logger so that its failures change nothing: the first error that a method throws or rejects with goes to the console, later ones
 * are dropped. Every option that takes a logger passes it through here; a logger that is guarded already is returned as it is. The logger's own
 * `child` is never called, so the console can be the logger.
 *
 * @returns a logger that writes nothing if none is given.
 * @throws {AshlarError} INVALID_ARGUMENT for a logger without debug, info, warn and error.
 */
export function guardedLogger(logger: Logger | undefined): Logger {
  assertFunctions("logger", logger, LOGGER_FUNCTIONS);
  return logger === undefined ? silentLogger : guarded.has(logger) ? logger : guard(logger);
}

function guard(logger: Logger, bound?: LogFields): Logger {
  const own: Record<string, unknown> = { child: (fields: LogFields) => guard(logger, { ...bound, ...fields }) };
  for (const level of LOGGER_FUNCTIONS.split(" ") as "debug"[])
    own[level] = (fields: LogFields, message: string) =>
      void callWatcher(logger, `logger.${level}`, () => logger[level]({ ...bound, ...fields }, message));
  guarded.add(own as never);
  return own as never;
}
