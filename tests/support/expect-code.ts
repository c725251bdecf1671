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
  // The failure has the error as its cause, or the stack would be lost.
  if (!AshlarError.is(error)) throw new Error(`not an AshlarError, but ${code} was expected`, { cause: error });
  if (error.code !== code) throw new Error(`${error.code} instead of ${code}`, { cause: error });
  return error;
}

/** Longer than a call that waits for nothing takes on a busy machine; shorter than what these tests let hang. */
const PROMPT_MS = 10_000;

/** Aborts, and expects that the work rejects then and does not wait for a hanging call below it. */
export async function expectAborts(
  controller: AbortController,
  work: Promise<unknown>,
  code: ErrorCode = "CANCELED",
): Promise<AshlarError> {
  controller.abort();
  return await expectPrompt(expectCode(work, code));
}

/** Expects that work ends soon, where it could hang or wait for a long time. */
export async function expectPrompt<T>(work: Promise<T>): Promise<T> {
  const limit = new AbortController();
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`still running after ${PROMPT_MS} ms`)), PROMPT_MS);
    limit.signal.addEventListener("abort", () => clearTimeout(timer));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    limit.abort();
  }
}
