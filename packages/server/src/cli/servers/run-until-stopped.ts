import type { Logger } from "@ashlar/sdk/ports";

/**
 * Waits for the signal, then shuts down in order.
 *
 * @param close is given the time that running requests may take, in ms.
 */
export async function runUntilStopped(
  signal: AbortSignal,
  options: { readonly graceMs: number; readonly logger: Logger; readonly close: (graceMs: number) => Promise<void> },
): Promise<void> {
  if (!signal.aborted) {
    // A listener alone does not keep the process alive once the port is closed from elsewhere.
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  options.logger.info({ graceMs: options.graceMs }, "shutting down; running requests may finish");
  await options.close(options.graceMs);
  options.logger.info({}, "stopped");
}
