/** Structured fields of one log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. pino fits this shape, and so does the console, of which `child` is never asked. What methods throw decides nothing. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}
