import { AshlarError } from "@ashlar/sdk/errors";

/** Runs what may refuse a change. An error that is not about the change, such as a gateway that does not answer, is thrown. */
export async function refusalOf(guard: () => unknown): Promise<AshlarError | undefined> {
  try {
    await guard();
    return undefined;
  } catch (thrown) {
    if (AshlarError.is(thrown, "PRECONDITION_FAILED") || AshlarError.is(thrown, "NODE_NOT_FOUND")) return thrown;
    throw thrown;
  }
}
