import { AshlarError } from "../errors/index.ts";

/**
 * Loads a part of the SDK that a page's first load leaves out. In Node and in one-file bundles this costs a microtask.
 *
 * @param load a dynamic `import()`; called each time, because a failed one may succeed later.
 * @throws {AshlarError} NODE_UNAVAILABLE with the engine's error as cause: the page is offline, or a new release took the file away.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new AshlarError("NODE_UNAVAILABLE", "a part of the SDK could not be loaded", { cause });
  }
}
