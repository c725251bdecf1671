import type { Server as Http1Server } from "node:http";
import { Server as TlsServer } from "node:https";
import { AshlarError } from "@ashlar/sdk/errors";

/** Certificate chain and key in PEM. */
export interface TlsOptions {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /**
   * For how long browsers are told to come back over TLS only (`strict-transport-security`), in ms; 0: they are not told. Default HSTS_MAX_AGE_MS.
   */
  readonly hstsMaxAgeMs?: number | undefined;
}

/** The certificate as Node's TLS takes it. */
export function tlsContext({ cert, key }: TlsOptions): {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
} {
  return { cert: pem(cert), key: pem(key) };
}

/**
 * Gives a port another certificate; connections that are open keep theirs.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the two do not belong together, or the port speaks no TLS; it keeps what it had.
 */
export function changeCertificate(front: Http1Server, tls: TlsOptions): void {
  if (!(front instanceof TlsServer)) throw new AshlarError("INVALID_ARGUMENT", "this port speaks no TLS");
  try {
    front.setSecureContext(tlsContext(tls));
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "certificate and key are no PEM, or do not belong together", { cause });
  }
}

function pem(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text);
}
