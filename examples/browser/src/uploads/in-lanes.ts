/**
 * Works on several items at once. The first failure, or the signal, ends the work on all of them.
 *
 * @param count how many at once.
 * @param work gets a signal that aborts when the others have failed.
 */
export async function inLanes<T>(
  count: number,
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const both = AbortSignal.any([signal, failure.signal]);
  const waiting = items.values();
  const lane = async (): Promise<void> => {
    try {
      for (const item of waiting) {
        both.throwIfAborted();
        await work(item, both);
      }
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: count }, lane));
  if (failure.signal.aborted) throw failure.signal.reason;
  for (const lane of ended) if (lane.status === "rejected") throw lane.reason;
}
