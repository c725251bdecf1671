import { AshlarError } from "../errors/index.ts";

/**
 * The error with `details.retryAfterMs` from the header `retry-after`: seconds, or a date, compared with the server's clock in the header `date`.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function withRetryAfter(error: AshlarError, header: (name: string) => string | null | undefined): AshlarError {
  const after = header("retry-after");
  if (!after || error.details.retryAfterMs !== undefined) return error;
  const waitMs = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.parse(header("date") ?? "");
  if (!(waitMs > 0)) return error;
  const { code, message, details, cause } = error;
  return new AshlarError(code, message, { cause, details: { ...details, retryAfterMs: String(waitMs) } });
}
