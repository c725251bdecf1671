/**
 * The image's health check: asks the server in this container whether it is ready, with everything that it depends on (`/readyz`).
 *
 * `serve` and `gateway` listen on PORT, `node` on GRPC_PORT; without either, on 9000 or 50051. The check does not find a server whose port or
 * certificate is set by flags: in a container, configure by variables. Exit code 0: ready; 1: not ready, with the reason in one line.
 */
import { get as getPlain } from "node:http";
import { get as getTls } from "node:https";
import process from "node:process";

const TIMEOUT_MS = 4000;
const { PORT, GRPC_PORT, TLS_CERT } = process.env;
const SET_PORTS = [PORT, GRPC_PORT].filter(Boolean);

/** @returns status and body, or undefined if nothing listens. */
function ask(port) {
  const url = `${TLS_CERT ? "https" : "http"}://127.0.0.1:${port}/readyz`;
  const get = TLS_CERT ? getTls : getPlain;
  return new Promise((resolve, reject) => {
    // The certificate is for the name that clients use; this is the loopback interface.
    const request = get(url, { rejectUnauthorized: false, timeout: TIMEOUT_MS }, (response) => {
      response.setEncoding("utf8");
      let body = "";
      response.on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)));
    request.on("error", (error) => (error.code === "ECONNREFUSED" ? resolve(undefined) : reject(error)));
  });
}

try {
  let answer;
  for (const port of SET_PORTS.length > 0 ? SET_PORTS : [9000, 50051]) answer ??= await ask(port);
  process.stdout.write(`${answer?.body ?? "nothing listens"}\n`);
  process.exitCode = answer?.status === 200 ? 0 : 1;
} catch (error) {
  process.stdout.write(`${error.message}\n`);
  process.exitCode = 1;
}
