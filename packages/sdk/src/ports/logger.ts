/** Structured fields of one log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go. pino and the console fit this shape. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}
