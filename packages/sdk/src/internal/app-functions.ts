import { AshlarError } from "../errors/ashlar-error.ts";

/** The methods that a logger must have. */
export const LOGGER_FUNCTIONS = "debug info warn error";

/** Owners of functions whose failure was written to the console. */
const reported = new WeakSet<object>();

/**
 * Calls a function of the app that only watches: a method of its logger or tracer, or `onRetry`. An error that it throws, or that its promise rejects
 * with, changes no call and ends no process. The first error of each `owner` is written to the console.
 *
 * @returns what the function returned; `undefined` if it threw.
 */
export function callWatcher<T>(owner: object, name: string, call: () => T): T | undefined {
  const failed = (error: unknown): void => {
    if (reported.has(owner)) return;
    reported.add(owner);
    try {
      // biome-ignore lint/suspicious/noConsole: the app's own logger may be what fails.
      console.error(`ashlar: ${name} failed; later failures are not reported`, error);
    } catch {
      // there is no other place to report it
    }
  };
  try {
    const answer = call();
    dropRejection(answer, failed);
    return answer;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** Handles the rejection of a returned value, if it is a promise although none was expected: nobody else waits for it. @returns whether it is one. */
export function dropRejection(answer: unknown, onRejected: (error: unknown) => void = () => {}): boolean {
  const isPromise = typeof (answer as PromiseLike<unknown> | undefined)?.then === "function";
  if (isPromise) Promise.resolve(answer).catch(onRejected);
  return isPromise;
}

/** @throws {AshlarError} INVALID_ARGUMENT if the option is given and lacks a method. @param methods names with blanks between them. */
export function assertFunctions(name: string, given: unknown, methods: string): void {
  if (given === undefined) return;
  for (const method of methods.split(" "))
    if (typeof (given as Record<string, unknown> | null)?.[method] !== "function")
      throw new AshlarError("INVALID_ARGUMENT", `${name}.${method} is not a function`);
}
