import type { LogFields, Logger } from "@ashlar/sdk/ports";
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from "pino";
import { boundedError, boundedFields, boundedText } from "./bounded-fields.ts";
import { visibleJson } from "./control-characters.ts";
import { requestFields } from "./request-scope.ts";

/** Levels, from the most to the least verbose. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Options of {@link createPinoLogger}. */
export interface PinoLoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel | undefined;
  /** Put in every line. */
  readonly fields?: LogFields | undefined;
  /** Default: standard output. */
  readonly destination?: DestinationStream | undefined;
}

/** Fields whose values must never reach a log. */
const SECRETS: readonly string[] = [
  "authorization",
  "apiKey",
  "clusterKey",
  "clusterKeyAccepted",
  "*.authorization",
  "*.apiKey",
];

/**
 * A logger that writes one JSON object a line through pino. Lines that are written while a server of this process works on a request carry its
 * `requestId`, and its `traceId` and `spanId` where there is a trace. No text in them is longer than LOG_TEXT_MAX.
 */
export function createPinoLogger(options: PinoLoggerOptions = {}): Logger {
  const settings = {
    level: options.level ?? "info",
    base: { ...options.fields },
    serializers: { error: errorFields, err: errorFields },
    redact: { paths: [...SECRETS], censor: "[secret]" },
    timestamp: stdTimeFunctions.isoTime,
    mixin: () => ({ ...requestFields() }),
    // JSON leaves C1 and direction characters as they are; whoever follows a log does so on a terminal.
    hooks: { streamWrite: visibleJson },
  };
  return adapt(options.destination === undefined ? pino(settings) : pino(settings, options.destination));
}

const errorFields = (error: Error): unknown => boundedError(stdSerializers.errWithCause(error));

function adapt(logger: PinoLogger): Logger {
  return Object.freeze<Logger>({
    debug: (fields, message) => logger.debug(boundedFields(fields), boundedText(message)),
    info: (fields, message) => logger.info(boundedFields(fields), boundedText(message)),
    warn: (fields, message) => logger.warn(boundedFields(fields), boundedText(message)),
    error: (fields, message) => logger.error(boundedFields(fields), boundedText(message)),
    child: (fields) => adapt(logger.child(boundedFields(fields))),
  });
}
