import { type MetadataStore, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../../gateway/index.ts";

/**
 * Makes the first API key of a store that has none, with all rights.
 *
 * Called once the server listens: a start that fails must not use up the only time that the key is shown.
 *
 * @returns the key, to be shown once; `undefined` if there are keys already.
 */
export async function makeFirstApiKey(metadata: MetadataStore): Promise<string | undefined> {
  const keys = await metadata.listApiKeys();
  if (keys.length > 0) return undefined;
  const { apiKey } = await createApiKey({ metadata, random: systemRandom, name: "first", role: "admin" });
  return apiKey;
}
