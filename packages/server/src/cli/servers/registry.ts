import type { ServerRegistry } from "@ashlar/sdk/ports";

/** A registry and what it holds open. */
export interface OpenedRegistry extends AsyncDisposable {
  readonly registry: ServerRegistry;
}

/**
 * A registry that is opened by its first call, and again by the next one if that failed: a node serves its chunks while the database is away.
 */
export function lazyRegistry(open: () => Promise<OpenedRegistry>): OpenedRegistry {
  let opened: Promise<OpenedRegistry> | undefined;
  const use = async <Answer>(call: (registry: ServerRegistry) => Promise<Answer>): Promise<Answer> => {
    opened ??= open();
    try {
      return await call((await opened).registry);
    } catch (error) {
      // Only an opening that failed is done again.
      await opened?.catch(() => {
        opened = undefined;
      });
      throw error;
    }
  };
  return {
    registry: {
      registerServer: (registration, options) => use((registry) => registry.registerServer(registration, options)),
      heartbeat: (beat, options) => use((registry) => registry.heartbeat(beat, options)),
      stopServer: (serverId, options) => use((registry) => registry.stopServer(serverId, options)),
      clusterSnapshot: (options) => use((registry) => registry.clusterSnapshot(options)),
      changeLayout: (change, options) => use((registry) => registry.changeLayout(change, options)),
    },
    async [Symbol.asyncDispose]() {
      const holder = await opened?.catch(() => undefined);
      await holder?.[Symbol.asyncDispose]();
    },
  };
}
