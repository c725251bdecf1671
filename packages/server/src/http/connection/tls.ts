import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Server as Http1Server } from "node:http";
import { Server as TlsServer } from "node:https";
import { createSecureContext } from "node:tls";
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

/** Why a certificate and its key cannot be used: one of them is wrong, or they do not belong together. */
export interface TlsProblem {
  readonly part: "cert" | "key" | "pair";
  readonly message: string;
  readonly cause?: unknown;
}

/** Why a port cannot speak TLS with these, if so. Does not check whether the certificate is valid today: clients do that. */
export function tlsProblem({ cert, key }: TlsOptions): TlsProblem | undefined {
  let certificate: X509Certificate;
  let privateKey: KeyObject;
  try {
    createSecureContext({ cert: pem(cert) });
    certificate = new X509Certificate(pem(cert));
  } catch (cause) {
    return { part: "cert", message: "holds no certificate in PEM", cause };
  }
  try {
    privateKey = createPrivateKey({ key: pem(key), format: "pem" });
  } catch (cause) {
    const isLocked = /^(-----BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED)/m.test(pem(key).toString());
    const message = isLocked ? "is encrypted: give one without a passphrase" : "holds no private key in PEM";
    return { part: "key", message, cause };
  }
  if (!certificate.checkPrivateKey(privateKey)) return { part: "pair", message: "is not that of the certificate" };
  try {
    createSecureContext({ cert: pem(cert), key: pem(key) });
  } catch (cause) {
    return { part: "pair", message: "cannot be used with the certificate", cause };
  }
  return undefined;
}

const PARTS = { cert: "the certificate", key: "the key", pair: "the key" } as const;

/** The certificate and key as Node's TLS takes them. @throws {AshlarError} INVALID_ARGUMENT if they cannot be used. */
export function tlsContext({ cert, key }: TlsOptions): {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
} {
  const problem = tlsProblem({ cert, key });
  if (problem === undefined) return { cert: pem(cert), key: pem(key) };
  const { part, message, cause } = problem;
  throw new AshlarError("INVALID_ARGUMENT", `tls: ${PARTS[part]} ${message}`, { cause });
}

/**
 * Gives a port another certificate; connections that are open keep theirs.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the certificate cannot be used, or the port speaks no TLS; the port keeps what it had.
 */
export function changeCertificate(front: Http1Server, tls: TlsOptions): void {
  if (!(front instanceof TlsServer)) throw new AshlarError("INVALID_ARGUMENT", "this port speaks no TLS");
  front.setSecureContext(tlsContext(tls));
}

function pem(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text);
}
