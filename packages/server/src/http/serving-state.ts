/** The state of a server, as `grpc.health.v1` knows it. */
export type ServingStatus = "serving" | "not-serving";

/** A status that can be set, read and watched. */
export interface ServingState {
  get(): ServingStatus;
  set(status: ServingStatus): void;
  /** The status now, then each change (only the latest, for a slow reader), until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<ServingStatus>;
}

/** Starts with `initial`, by default not serving. */
export function createServingState(initial: ServingStatus = "not-serving"): ServingState {
  let current = initial;
  const wakers = new Set<() => void>();
  return {
    get: () => current,
    set(status) {
      if (status === current) return;
      current = status;
      for (const wake of wakers) wake();
    },
    async *watch(signal) {
      let told: ServingStatus | undefined;
      while (!signal.aborted) {
        if (told !== current) {
          told = current;
          yield told;
          continue;
        }
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            wakers.delete(wake);
            signal.removeEventListener("abort", wake);
            resolve();
          };
          wakers.add(wake);
          signal.addEventListener("abort", wake, { once: true });
        });
      }
    },
  };
}
