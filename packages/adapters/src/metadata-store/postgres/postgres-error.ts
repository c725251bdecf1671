import { AshlarError } from "@ashlar/sdk/errors";
import { descriptorShortage } from "../../internal/descriptor-shortage.ts";

/**
 * Two transactions met and this one lost, or rows appeared in between: try the same again from the start.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const CONFLICTS: ReadonlySet<string> = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "23505", // unique_violation: another writer inserted the same row first
]);

/** The connection is gone, or the server takes no work at the moment. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
  "25P03", // idle_in_transaction_session_timeout: this process was frozen in the middle of a transaction
  "53300", // too_many_connections
  "25006", // read_only_sql_transaction: a standby, before the failover is complete
  "0A000", // "cached plan must not change result type", after another process migrated: a fresh connection knows no plan
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  // This process or machine has no file descriptor left; other connections give theirs back.
  "EMFILE",
  "ENFILE",
]);

/** PostgreSQL's own checksums, or its reading of a page, show that the page is not what was written. */
const DAMAGE: ReadonlySet<string> = new Set([
  "XX001", // data_corrupted
  "XX002", // index_corrupted
]);

/** The driver's own errors have no code. */
const UNAVAILABLE_TEXT =
  /connection terminated|connection ended|not queryable|timeout exceeded when trying to connect|client was closed|query read timeout/i;

/** What a driver error means for a retry. */
export type PgFailure = "conflict" | "unavailable" | "final";

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

export function classifyPgError(error: unknown): PgFailure {
  if (AshlarError.is(error)) return "final";
  const code = codeOf(error);
  if (code !== undefined && CONFLICTS.has(code)) return "conflict";
  if (code !== undefined && (UNAVAILABLE.has(code) || code.startsWith("08"))) return "unavailable";
  // Node tries all addresses of a name and wraps what went wrong.
  if (error instanceof AggregateError && error.errors.some((one) => classifyPgError(one) === "unavailable"))
    return "unavailable";
  if (code === undefined && error instanceof Error && UNAVAILABLE_TEXT.test(error.message)) return "unavailable";
  return "final";
}

/** Translates what the driver throws; Ashlar errors pass through. */
export function fromPgError(error: unknown): AshlarError {
  if (AshlarError.is(error)) return error;
  const code = codeOf(error);
  const shortage = descriptorShortage(error);
  if (shortage !== undefined) return new AshlarError("OVERLOADED", shortage, { cause: error });
  if (classifyPgError(error) !== "final") {
    return new AshlarError("METADATA_UNAVAILABLE", "the metadata database cannot be reached or is too busy", {
      cause: error,
    });
  }
  if (code === "53100")
    return new AshlarError(
      "DISK_FULL",
      "the disk of the metadata database is full: make room on it, then write again",
      { cause: error },
    );
  if (code?.startsWith("53"))
    return new AshlarError("METADATA_UNAVAILABLE", "the metadata database lacks resources", { cause: error });
  if (code?.startsWith("28") || code === "3D000") {
    return new AshlarError("METADATA_UNAVAILABLE", "the metadata database does not let us in", { cause: error });
  }
  if (code !== undefined && DAMAGE.has(code)) {
    const message = "the metadata database is damaged: restore it from a backup, or fail over to a standby";
    return new AshlarError("METADATA_CORRUPT", message, { cause: error });
  }
  if (code === "42P07")
    return new AshlarError("STORE_INCOMPATIBLE", "the database has tables of another application", { cause: error });
  return AshlarError.from(error);
}
