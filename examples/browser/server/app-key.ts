import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runAshlar } from "./ashlar-process.ts";

/** A store in a folder keeps its keys there, even if the environment names a database for something else. */
const OWN_METADATA = { DATABASE_URL: "" };

/**
 * The API key of the app's server, made at the first start and kept in a file that only its owner can read.
 *
 * @param store folder of the metadata.
 * @param folder where the key is kept.
 */
export async function appKey(store: string, folder: string): Promise<string> {
  const file = join(folder, "app-key");
  const kept = await readFile(file, "utf8").catch(() => "");
  if (kept !== "") return kept;
  const role = ["--role", "readwrite", "--name", "browser example"];
  const { apiKey } = await runAshlar(["key", "create", "--path", store, ...role], OWN_METADATA);
  await mkdir(folder, { recursive: true });
  await writeFile(file, String(apiKey), { mode: 0o600 });
  return String(apiKey);
}
