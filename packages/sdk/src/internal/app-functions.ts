import { AshlarError } from "../errors/ashlar-error.ts";

/** What a logger has to have. */
export const LOGGER_FUNCTIONS = "debug info warn error";

/** Owners of functions whose failure the console was told of. */
const told = new WeakSet<object>();

/**
 * Calls a function of the app that only watches: a method of its logger or tracer, or `onRetry`. What it throws, or what its promise rejects with, decides
 * no call and ends no process; the console is told, once for each `owner`.
 *
 * @returns what the function returned; `undefined` where it threw.
 */
export function callWatcher<T>(owner: object, name: string, call: () => T): T | undefined {
  const failed = (error: unknown): void => {
    if (told.has(owner)) return;
    told.add(owner);
    try {
      // biome-ignore lint/suspicious/noConsole: the app's own place for lines may be what fails.
      console.error(`ashlar: ${name} failed, which is told once`, error);
    } catch {
      // nobody is left to tell
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

/** Takes the rejection of what a function returned, if that is a promise although none was asked for: nobody else waits for it. @returns whether it is one. */
export function dropRejection(answer: unknown, onRejected: (error: unknown) => void = () => {}): boolean {
  const isPromise = typeof (answer as PromiseLike<unknown> | undefined)?.then === "function";
  if (isPromise) Promise.resolve(answer).catch(onRejected);
  return isPromise;
}

/** @throws {AshlarError} INVALID_ARGUMENT for an option that is given and lacks one of the functions, named by blanks between them. */
export function assertFunctions(name: string, given: unknown, methods: string): void {
  if (given === undefined) return;
  for (const method of methods.split(" "))
    if (typeof (given as Record<string, unknown> | null)?.[method] !== "function")
      throw new AshlarError("INVALID_ARGUMENT", `${name}.${method} is not a function`);
}
