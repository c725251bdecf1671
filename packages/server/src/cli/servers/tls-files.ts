import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock, Logger } from "@ashlar/sdk/ports";
import { fileError } from "../../files/file-error.ts";
import { tlsProblem } from "../../http/connection/tls.ts";
import type { TlsOptions } from "../../http/index.ts";
import type { Metrics } from "../../observability/index.ts";
import type { Settings } from "../settings.ts";

/** Files of a certificate and its key. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly hstsMaxAgeMs: number;
}

/** A renewed certificate is in use after this time at most; programs that renew it begin weeks before the old one ends. */
const LOOK_MS = 30_000;

/** @returns `undefined` where no certificate is named. @throws {AshlarError} INVALID_ARGUMENT for a certificate without its key. */
export function tlsFilesOf(settings: Settings<"tlsCert" | "tlsKey" | "hstsMaxAgeMs">): TlsFiles | undefined {
  const { tlsCert: cert, tlsKey: key, hstsMaxAgeMs } = settings;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new AshlarError("INVALID_ARGUMENT", "TLS needs both, --tls-cert and --tls-key");
  }
  return { cert, key, hstsMaxAgeMs };
}

/** @throws {AshlarError} INVALID_ARGUMENT for files that cannot be read or used; names the file, and its flag if it cannot be used. */
export async function readTls({ cert, key, hstsMaxAgeMs }: TlsFiles): Promise<TlsOptions> {
  const read = async (file: string): Promise<string> => {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      throw fileError(error, file);
    }
  };
  const tls: TlsOptions = { cert: await read(cert), key: await read(key), hstsMaxAgeMs };
  const problem = tlsProblem(tls);
  if (problem === undefined) return tls;
  const [flag, file] = problem.part === "cert" ? ["--tls-cert", cert] : ["--tls-key", key];
  const message = `${flag}: ${file} ${problem.message}${problem.part === "pair" ? ` (--tls-cert: ${cert})` : ""}`;
  throw new AshlarError("INVALID_ARGUMENT", message, { cause: problem.cause, details: { file } });
}

/**
 * Until the signal, gives a server the new certificate whenever its files have changed, and logs when one has ended. A pair that cannot be used (half
 * written, or only one file renewed) is not taken; this is logged once, and the files are read again at the next look.
 */
export async function keepTlsFresh(
  files: TlsFiles,
  options: {
    readonly current: TlsOptions;
    readonly server: { setTls(tls: TlsOptions): void };
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { server, clock, logger, metrics, signal } = options;
  const ends = metrics.gauge({
    name: "ashlar_tls_certificate_end_seconds",
    help: "When the certificate of the port ends, in seconds since the Unix epoch",
  });
  let taken = options.current;
  let loggedProblem = "";
  const reportEnd = (): void => {
    const { validFrom, validTo } = new X509Certificate(taken.cert);
    ends.set(Date.parse(validTo) / 1000);
    const nowMs = clock.nowMs();
    const fields = { file: files.cert, validFrom, validTo };
    if (Date.parse(validTo) <= nowMs) logger.warn(fields, "the certificate has ended: clients refuse it");
    else if (Date.parse(validFrom) > nowMs) logger.warn(fields, "the certificate is not valid yet: clients refuse it");
  };
  reportEnd();
  for (;;) {
    try {
      await clock.sleep(LOOK_MS, { signal });
    } catch {
      return; // the server stops
    }
    try {
      const found = await readTls(files);
      if (found.cert === taken.cert && found.key === taken.key) continue;
      server.setTls(found);
      taken = found;
      loggedProblem = "";
      reportEnd();
      logger.info({ file: files.cert }, "the port has the new certificate");
    } catch (error) {
      const { message } = AshlarError.from(error);
      if (message !== loggedProblem) logger.error({ error, file: files.cert }, "the certificate was not changed");
      loggedProblem = message;
    }
  }
}
