import type { StallWatch, StallWatchOptions, WatchedCall } from "../ports/stall-watch.ts";

interface Early {
  readonly abort: Parameters<StallWatch["begin"]>[0];
  watched?: WatchedCall;
}

/**
 * A stall watch whose code is loaded when the first call begins, beside it: a page's first load has no use for it. Silence counts from then on. A page
 * that cannot load it watches nothing until a later call can.
 */
export function lazyStallWatch(options: StallWatchOptions): Pick<StallWatch, "ready" | "begin" | "close"> {
  const early = new Set<Early>();
  let watch: StallWatch | undefined;
  let loading: Promise<void> | undefined;
  let closed = false;
  const load = async (): Promise<void> => {
    const { createStallWatch } = await import("../ports/stall-watch.ts");
    if (closed) return;
    watch = createStallWatch(options);
    for (const call of early) call.watched = watch.begin(call.abort);
    early.clear();
  };
  return {
    ready: async (signal) => await watch?.ready(signal),
    begin(abort) {
      if (watch !== undefined) return watch.begin(abort);
      const call: Early = { abort };
      early.add(call);
      if (loading === undefined) {
        loading = load().catch(() => {
          loading = undefined;
        });
      }
      return {
        heard: () => call.watched?.heard(),
        end() {
          early.delete(call);
          call.watched?.end();
        },
      };
    },
    close() {
      closed = true;
      watch?.close();
    },
  };
}
