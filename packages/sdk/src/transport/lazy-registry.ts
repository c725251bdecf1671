import { loadPart } from "../internal/load-part.ts";
import type { NodeRegistry } from "../ports/index.ts";

/** A gateway's node registry. Web pages that talk to one gateway never use it, so its code is loaded with the first call. */
export function lazyNodeRegistry(load: () => Promise<NodeRegistry>): NodeRegistry {
  let loaded: NodeRegistry | undefined;
  const registry = async (): Promise<NodeRegistry> => {
    loaded ??= await loadPart(load);
    return loaded;
  };
  return {
    registerNode: async (registration, options) => (await registry()).registerNode(registration, options),
    heartbeat: async (beat, options) => (await registry()).heartbeat(beat, options),
    stopNode: async (nodeId, options) => (await registry()).stopNode(nodeId, options),
    clusterSnapshot: async (options) => (await registry()).clusterSnapshot(options),
    changeLayout: async (change, options) => (await registry()).changeLayout(change, options),
  };
}
