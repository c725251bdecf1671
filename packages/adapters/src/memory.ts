import type { Seat } from "@ashlar/sdk";
import { collect, createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { checkOptions, type ObjectEngine, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createMemoryChunkStore, type MemoryChunk } from "./chunk-store/memory.ts";
import { nodeCryptoHasher } from "./hash/node-crypto.ts";
import { createMemoryMetadataStore } from "./metadata-store/memory/index.ts";

/** An operation as the seat sees it: `getObject` of the client is `openObject` here, a listing is one `listObjects` a page. */
export type InMemoryOperation = Exclude<keyof ObjectEngine, "close">;

/** Options of {@link inMemory}. */
export interface InMemoryOptions {
  /** Called before each operation, which fails with the error that it returns. Default: nothing fails. */
  readonly fault?: ((operation: InMemoryOperation) => Error | undefined) | undefined;
  /** Bytes of chunks that the store takes before it answers DISK_FULL; default unlimited. Objects that live in their metadata row do not count. */
  readonly capacityBytes?: number | undefined;
  /** Objects up to this many bytes live in their metadata row; default INLINE_MAX_BYTES. */
  readonly inlineMaxBytes?: number | undefined;
}

/**
 * A store in this process's memory, for an app's own tests: the same engine as every other seat, and nothing to clean up.
 *
 * Each call makes a store of its own. The data stay as long as the seat does: a client made of it later finds what an earlier one wrote.
 * Answers name the durability that was asked for, although nothing here survives the process.
 *
 * @example
 * const client = createClient(inMemory());
 */
export function inMemory(options: InMemoryOptions = {}): Seat {
  checkOptions(options, { fault: "function", capacityBytes: "number", inlineMaxBytes: "number" });
  const { capacityBytes, inlineMaxBytes, fault } = options;
  const metadata = createMemoryMetadataStore();
  const chunks = new Map<string, MemoryChunk>();
  return {
    name: "in-memory",
    async open() {
      const topology = singleStoreTopology(createMemoryChunkStore({ chunks, capacityBytes }));
      const engine = createEngine({
        catalog: metadata,
        topology,
        hasher: nodeCryptoHasher,
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        inlineMaxBytes,
      });
      return {
        engine: fault === undefined ? engine : withFaults(engine, fault),
        clock: systemClock,
        collect: (call) => collect({ metadata, topology, logger: silentLogger, signal: call?.signal }),
        close: () => engine.close(),
      };
    },
  };
}

function withFaults(engine: ObjectEngine, fault: (operation: InMemoryOperation) => Error | undefined): ObjectEngine {
  return new Proxy(engine, {
    get(target, name, receiver): unknown {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== "function" || name === "close") return value;
      return async (...given: unknown[]): Promise<unknown> => {
        const error = await fault(name as InMemoryOperation);
        if (error !== undefined) throw error;
        return await (value as (...given: unknown[]) => Promise<unknown>).apply(target, given);
      };
    },
  });
}
