import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import {
  type Clock,
  type Hasher,
  type Logger,
  type Random,
  systemClock,
  systemRandom,
  type Tracer,
} from "@ashlar/sdk/ports";
import type { CorsOptions, TlsOptions } from "../../http/index.ts";
import {
  createMetrics,
  createPinoLogger,
  createServerTracer,
  type LogLevel,
  type Metrics,
} from "../../observability/index.ts";
import { SOFTWARE_VERSION } from "../../observability/software-version.ts";
import type { CliIo } from "../cli-io.ts";
import type { Settings } from "../settings.ts";
import type { CommonSettingName } from "./server-settings.ts";
import { readTls, type TlsFiles, tlsFilesOf } from "./tls-files.ts";
import { type DescriptorWatch, watchDescriptors } from "./watch-descriptors.ts";

/** The parts that every server is made of. */
export interface ServerParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly softwareVersion: string;
  readonly host: string;
  readonly insecure: boolean;
  readonly tls: TlsOptions | undefined;
  /** The files of `tls`, to be read again when they change. */
  readonly tlsFiles: TlsFiles | undefined;
  readonly operationsPort: number | undefined;
  readonly operationsHost: string | undefined;
  readonly cors: CorsOptions | undefined;
  readonly descriptors: DescriptorWatch;
  readonly chunkMaxBytes: number;
  readonly requestsInFlightMax: number;
  readonly bytesInFlightMax: number;
}

/**
 * Makes the parts of a server from its settings. Logs go to standard error as JSON lines.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a certificate without its key, or files that cannot be read.
 */
export async function createServerParts(settings: Settings<CommonSettingName>, io: CliIo): Promise<ServerParts> {
  const { chunkMaxBytes, requestsInFlightMax, bytesInFlightMax, host, insecure } = settings;
  const { operationsPort, operationsHost } = settings;
  const tlsFiles = tlsFilesOf(settings);
  const metrics = createMetrics({ processMetrics: true });
  const logger = createPinoLogger({
    level: settings.logLevel as LogLevel,
    destination: { write: (line) => void io.stderr.write(line) },
  });
  return Object.freeze({
    clock: systemClock,
    random: systemRandom,
    hasher: nodeCryptoHasher,
    logger,
    metrics,
    tracer: createServerTracer({ inner: await loadOpenTelemetry(), metrics, clock: systemClock }),
    softwareVersion: SOFTWARE_VERSION,
    host,
    insecure,
    tls: tlsFiles && (await readTls(tlsFiles)),
    tlsFiles,
    operationsPort,
    operationsHost,
    cors: corsOf(settings.corsOrigins),
    descriptors: watchDescriptors({ clock: systemClock, logger }),
    chunkMaxBytes,
    requestsInFlightMax,
    bytesInFlightMax,
  });
}

/** Spans go to the provider that `node --import ./otel.js …` registers; `undefined` if `@opentelemetry/api` is not installed. */
async function loadOpenTelemetry(): Promise<Tracer | undefined> {
  try {
    return (await import("@ashlar/adapters/tracing/opentelemetry")).openTelemetryTracer();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

function corsOf(origins: readonly string[]): CorsOptions | undefined {
  if (origins.length === 0) return undefined;
  return { allowedOrigins: origins.includes("*") ? "*" : origins };
}
