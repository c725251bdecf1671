import { AshlarError } from "../errors/index.ts";

/**
 * Loads a part of the SDK that is not in a page's first load. In Node and in one-file bundles this costs a microtask.
 *
 * @param load a dynamic `import()`; called each time, because a failed import may succeed later.
 * @throws {AshlarError} NODE_UNAVAILABLE with the JavaScript engine's error as cause: the page is offline, or a new release removed the file.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new AshlarError("NODE_UNAVAILABLE", "a part of the SDK cannot be loaded", { cause });
  }
}
