import { assertFunctions, callWatcher, LOGGER_FUNCTIONS } from "../internal/app-functions.ts";
import type { LogFields, Logger } from "./logger.ts";
import { silentLogger } from "./system.ts";

const guarded = new WeakSet<Logger>([silentLogger]);

/**
 * A logger of the app that decides nothing: what its methods throw, or reject with, goes nowhere but once to the console. Everything that takes a logger as
 * an option takes it through here, once: a guarded one stays as it is. `child` is never asked of it, so the console does.
 *
 * @returns one that writes nothing where none is given.
 * @throws {AshlarError} INVALID_ARGUMENT for one without debug, info, warn and error.
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
