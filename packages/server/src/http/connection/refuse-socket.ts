import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { earlyRefusal } from "../exchange/early-refusal.ts";

/** The error of Node's HTTP/1.1 server for bytes that it cannot parse. */
export type ParserError = Error & { readonly code?: string | undefined };

/** Codes of Node and llhttp with statuses of their own; all else is 400. */
const STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Answers bytes that are no HTTP request, for which there is no response object, and closes the connection.
 *
 * What still comes is read for LINGER_MS, so that the reset of the connection does not overtake the answer.
 */
export function refuseSocket(socket: Socket, error: ParserError): void {
  if (socket.destroyed || !socket.writable || error.code === "ECONNRESET" || error.code === "EPIPE") {
    socket.destroy();
    return;
  }
  const status = STATUSES[error.code ?? ""] ?? 400;
  writeProblem(socket, new AshlarError("INVALID_ARGUMENT", `this is no HTTP request: ${reasonOf(error)}`), status);
}

/** Answers a CONNECT: nothing here is a proxy. */
export function refuseTunnel(socket: Socket): void {
  if (socket.destroyed || !socket.writable) socket.destroy();
  else writeProblem(socket, noProxy(), 405);
}

/** The error of a CONNECT, on either protocol. */
export function noProxy(): AshlarError {
  return new AshlarError("UNSUPPORTED", "this server is no proxy");
}

function writeProblem(socket: Socket, error: AshlarError, status: number): void {
  const { header, body } = earlyRefusal(error, status);
  const bytes = body as Uint8Array;
  header.set("content-length", String(bytes.byteLength));
  header.set("connection", "close");
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...[...header].map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  socket.end(bytes);
  const timer = setTimeout(() => socket.destroy(), HTTP_LIMITS.LINGER_MS.value);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
}

function reasonOf(error: ParserError): string {
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") return "its headers came too slowly";
  if (error.code === "HPE_HEADER_OVERFLOW") return "its headers are too large or too many";
  return (error as { readonly reason?: string }).reason ?? "it cannot be parsed";
}
