import type { Clock } from "@ashlar/sdk/ports";

/** How long a readiness probe waits for what it asks, in ms: its answer has to be there before a load balancer gives up. */
export const PROBE_MS = 1500;

/**
 * What a probe of a dependency found, or `"late"` if it does not answer in time. What the probe still does then is told to stop by its signal,
 * and its end does not matter.
 *
 * @throws whatever the probe throws in time.
 */
export async function answersInTime<Found>(
  clock: Pick<Clock, "sleep">,
  probe: (signal: AbortSignal) => Promise<Found>,
): Promise<Found | "late"> {
  const [timer, patience] = [new AbortController(), new AbortController()];
  const late = clock.sleep(PROBE_MS, { signal: timer.signal }).then(
    () => "late" as const,
    () => "late" as const,
  );
  const probing = probe(patience.signal);
  try {
    return await Promise.race([probing, late]);
  } finally {
    timer.abort();
    probing.catch(() => {});
    patience.abort();
  }
}
