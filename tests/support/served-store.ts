import { type RunningCli, startCli } from "./cli.ts";
import type { TempFolder } from "./temp-folder.ts";

/** `ashlar serve` in this process, and how to reach it. */
export interface ServedStore {
  readonly server: RunningCli;
  readonly url: string;
  /** The first API key, which the program prints. */
  readonly apiKey: string;
}

/** Serves a new store in the folder's `served`, on a free port. */
export async function startServedStore(folder: TempFolder): Promise<ServedStore> {
  const server = startCli(["serve", "--path", folder.at("served"), "--port", "0", "--log-level", "silent"]);
  const [, url = ""] = await server.until(/address +(\S+)/);
  const [, apiKey = ""] = await server.until(/credentials +(ashlar_\S+)/);
  return { server, url, apiKey };
}
