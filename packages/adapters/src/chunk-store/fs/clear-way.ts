import { dirname, relative, sep } from "node:path";
import { PRIVATE_FOLDER_MODE } from "../../internal/private-files.ts";
import { errnoOf, isAbsent } from "./fs-error.ts";
import type { FsParts } from "./fs-parts.ts";
import { hasNoLinks } from "./leftover-sweep.ts";
import { kindOf, lookAt } from "./look-at.ts";

type ClearParts = Pick<FsParts, "fileSystem" | "names" | "logger">;

/**
 * Moves what lies where a folder of the store belongs, and is none, into quarantine, so that the folder can be made. A link to a folder is one. The
 * folder `chunks` is never touched: a link there that leads nowhere is a disk that is not mounted.
 *
 * @param folder below `chunks`.
 * @returns whether anything was in the way.
 */
export async function clearWay(parts: ClearParts, folder: string): Promise<boolean> {
  const { chunksFolder } = parts.names;
  const way: string[] = [];
  for (let each = folder; each !== chunksFolder; each = dirname(each)) way.unshift(each);
  for (const each of way) {
    const found = await lookAt(parts, each);
    if (found === undefined) return false;
    if (found.isDirectory() || (found.isSymbolicLink() && (await leadsToFolder(parts, each)))) continue;
    const aside = parts.names.quarantinePath(relative(chunksFolder, each).replaceAll(sep, ""));
    await setAside(parts, each, aside);
    const problem = `${kindOf(found)} lay where a folder belongs`;
    parts.logger.error({ entry: each, problem, quarantine: aside }, "quarantined what was in the way of a folder");
    return true;
  }
  return false;
}

async function leadsToFolder({ fileSystem }: ClearParts, link: string): Promise<boolean> {
  try {
    return (await fileSystem.stat(link)).isDirectory();
  } catch (error) {
    if (isAbsent(error) || errnoOf(error) === "ELOOP") return false;
    throw error;
  }
}

/**
 * By `link` and `unlink`, which take no folder: another process may have cleared the way meanwhile, and made it, and its chunks must not go. Where
 * they fail the folder is tried again all the same, and tells.
 */
async function setAside({ fileSystem, names }: ClearParts, path: string, aside: string): Promise<void> {
  await fileSystem.mkdir(names.quarantineFolder, { recursive: true, mode: PRIVATE_FOLDER_MODE });
  try {
    await fileSystem.link(path, aside);
    await fileSystem.unlink(path);
  } catch (error) {
    if (hasNoLinks(error) && !(await fileSystem.lstat(path)).isDirectory()) await fileSystem.rename(path, aside);
  }
}
