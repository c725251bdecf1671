/** Structured fields of one log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. pino has this shape; the console will do too, because `child` of an app's logger is never called. Errors change nothing. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}
