import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";
import { expect } from "vitest";

/** Expects a rejection with an Ashlar error of this code, and gives the error back. */
export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<AshlarError> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome)) expect.fail(`resolved, but ${code} was expected`);
  const { error } = outcome;
  // The error itself goes into the failure, or its stack would be lost.
  if (!AshlarError.is(error)) throw new Error(`not an AshlarError, but ${code} was expected`, { cause: error });
  if (error.code !== code) throw new Error(`${error.code} instead of ${code}`, { cause: error });
  return error;
}

/** What {@link timed} measured. */
export interface Timed {
  readonly error: AshlarError;
  readonly elapsedMs: number;
}

/** Aborts, and measures how long the rejection takes from then on. */
export async function abortAndTime(
  controller: AbortController,
  work: Promise<unknown>,
  code: ErrorCode = "CANCELED",
): Promise<Timed> {
  const startedAtMs = performance.now();
  controller.abort();
  const error = await expectCode(work, code);
  return { error, elapsedMs: performance.now() - startedAtMs };
}
