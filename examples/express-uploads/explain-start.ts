import { AshlarError } from "@ashlar/sdk/errors";

/** Why the app did not start, as one line that says what to do. */
export function explainStart(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "the port is taken; set PORT to another one";
  if (code === "ERR_SOCKET_BAD_PORT") return "PORT must be a number from 0 to 65535";
  if (!AshlarError.is(error)) return message;
  const { ASHLAR_GATEWAY: url } = process.env;
  if (url === undefined) return `${message} (${code}); ASHLAR_PATH names the store's folder`;
  return `the store at ${url}: ${message} (${code}); see to ASHLAR_GATEWAY and ASHLAR_API_KEY`;
}
