import type { Clock } from "@ashlar/sdk/ports";

/** How long a readiness probe waits for a dependency, in ms: the probe has to answer before a load balancer gives up. */
export const PROBE_MS = 1500;

/**
 * What a probe of a dependency found, or `"late"` if it does not answer in time. The signal then tells the probe to stop, and nobody waits for its
 * end.
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
