import { embedded } from "@ashlar/adapters/embedded";
import { gateway } from "@ashlar/adapters/node";
import { createClient, type ObjectClient } from "@ashlar/sdk";

/** A folder of this app's own, or the gateway that ASHLAR_GATEWAY names: the rest of the app cannot tell. */
export function openStore(): ObjectClient {
  const { ASHLAR_GATEWAY: url, ASHLAR_API_KEY: apiKey, ASHLAR_PATH: path = ".ashlar" } = process.env;
  return createClient(url === undefined ? embedded({ path }) : gateway({ url, apiKey }));
}
