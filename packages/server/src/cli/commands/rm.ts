import type { ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatCount } from "../../observability/format.ts";
import { confirm } from "../cli-io.ts";
import { type CommandCall, defineCommand, listArgument } from "../command.ts";
import { type Address, folderPrefix, parseAddress, parseObjectAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";
import {
  type Contents,
  type ContentsOptions,
  countContents,
  describeContents,
  removeObjects,
  showDeleted,
} from "../remove-contents.ts";

const SETTINGS = [
  ...SEAT_SETTINGS,
  "recursive",
  "byPrefix",
  "dryRun",
  "yes",
  "force",
  "timeoutMs",
  "quiet",
  "json",
  "debug",
] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const rmCommand = defineCommand({
  name: "rm",
  summary: "delete objects; with -r everything in a folder: asks first on a terminal, and needs --yes elsewhere",
  arguments: [
    { name: "<objects...>", help: "bucket/key; with -r bucket/folder; a and a/ both mean keys that begin with a/" },
  ],
  settings: SETTINGS,
  examples: ["rm photos/2026/cat.jpg", "rm -r photos/2026 --dry-run", "rm -r photos/2026 --yes"],
  async run(call: Call) {
    const { settings, output } = call;
    const { recursive, byPrefix } = settings;
    if (byPrefix && !recursive) throw new AshlarError("INVALID_ARGUMENT", "--prefix needs -r");
    const addresses = listArgument(call, 0).map(recursive ? parseAddress : parseObjectAddress);
    await using client = await openClient(settings);
    if (settings.dryRun) return await showMeant(call, client, addresses);
    const tally: Tally = { deletedCount: 0 };
    let isDone = false;
    try {
      await (recursive ? removeBelow : removeEach)(call, client, { addresses, tally });
      isDone = true;
    } finally {
      // Also after a failure, prints how many objects were deleted.
      const { deletedCount } = tally;
      if ((isDone || deletedCount > 0) && (output.json || !settings.quiet)) {
        await output.result({ deletedCount }, `deleted ${formatCount(deletedCount, "object")}`);
      }
    }
    return 0;
  },
});

/** What was deleted so far. */
interface Tally {
  deletedCount: number;
}

interface Removal {
  readonly addresses: readonly Address[];
  readonly tally: Tally;
}

async function removeEach(call: Call, client: ObjectClient, { addresses, tally }: Removal): Promise<void> {
  const { settings, signal } = call;
  await eachThere(call, addresses, async (address) => {
    const isDeleted = await client.deleteObject({ ...address, signal, timeoutMs: settings.timeoutMs });
    if (isDeleted) tally.deletedCount++;
    return isDeleted;
  });
}

/** Most names in a message. */
const NAMES_SHOWN_MAX = 10;

/**
 * Calls `act` for each object, and continues when one does not exist, as rm(1) does.
 *
 * @param act returns whether the object existed.
 * @throws {AshlarError} at the end OBJECT_NOT_FOUND for objects that did not exist, unless --force is given, and BUCKET_NOT_FOUND; any other at once.
 */
async function eachThere(
  { settings }: Call,
  addresses: readonly Address[],
  act: (address: Address) => Promise<boolean>,
): Promise<void> {
  const missing: { readonly name: string; readonly error: AshlarError }[] = [];
  for (const address of addresses) {
    const { bucket, key } = address;
    const name = `${bucket}/${key}`;
    try {
      if ((await act(address)) || settings.force) continue;
      const details = { bucket, key };
      missing.push({ name, error: new AshlarError("OBJECT_NOT_FOUND", `no object ${key} in ${bucket}`, { details }) });
    } catch (error) {
      if (!AshlarError.is(error, "BUCKET_NOT_FOUND")) throw error;
      missing.push({ name, error });
    }
  }
  const [first, ...others] = missing;
  if (first === undefined) return;
  if (others.length === 0) throw first.error;
  const names = missing.slice(0, NAMES_SHOWN_MAX).map(({ name }) => name);
  if (names.length < missing.length) names.push("…");
  const what = `${missing.length} of ${formatCount(addresses.length, "object")} do not exist: ${names.join(", ")}`;
  throw new AshlarError(first.error.code, what, { details: first.error.details, cause: first.error });
}

async function removeBelow(call: Call, client: ObjectClient, { addresses, tally }: Removal): Promise<void> {
  const { settings, io, output } = call;
  const folders = addresses.map((address) => contentsOf(call, client, address));
  const found: { readonly folder: ContentsOptions; readonly contents: Contents }[] = [];
  for (const folder of folders) {
    const contents = await countContents(folder);
    if (contents.objectCount > 0) found.push({ folder, contents });
    else output.note(`there is nothing ${placeOf(call, folder)}`);
  }
  if (found.length === 0) return;
  const parts = found.map(({ folder, contents }) => `${describeContents(contents)} ${placeOf(call, folder)}`);
  await confirm(call, `delete ${parts.join(", and ")}`);
  const display = showDeleted(io.stderr, !output.json && !settings.quiet);
  try {
    for (const { folder } of found) {
      const before = tally.deletedCount;
      await removeObjects(folder, (count) => {
        tally.deletedCount = before + count;
        display.show(tally.deletedCount);
      });
    }
  } finally {
    display.end();
  }
}

/** `--dry-run`: prints what would be deleted, and how many objects that is. */
async function showMeant(call: Call, client: ObjectClient, addresses: readonly Address[]): Promise<number> {
  const { settings, signal, output } = call;
  const { timeoutMs } = settings;
  let objectCount = 0;
  const show = async (bucket: string, key: string): Promise<void> => {
    objectCount++;
    await output.result({ type: "object", bucket, key }, `would delete ${visibleText(`${bucket}/${key}`)}`);
  };
  for (const address of settings.recursive ? addresses : []) {
    const { bucket, prefix } = contentsOf(call, client, address);
    for await (const entry of client.listObjects({ bucket, prefix, signal, timeoutMs })) {
      if (entry.type === "object") await show(bucket, entry.key);
    }
  }
  const isShown = async (address: Address): Promise<boolean> => {
    const isOne = await client.bucket(address.bucket).object(address.key).exists({ signal, timeoutMs });
    if (isOne) await show(address.bucket, address.key);
    return isOne;
  };
  try {
    if (!settings.recursive) await eachThere(call, addresses, isShown);
  } finally {
    await output.result({ dryRun: true, objectCount }, `would delete ${formatCount(objectCount, "object")}`);
  }
  return 0;
}

function contentsOf({ settings, signal }: Call, client: ObjectClient, { bucket, key }: Address): ContentsOptions {
  const prefix = settings.byPrefix ? key : folderPrefix(key);
  return { client, bucket, prefix, signal, timeoutMs: settings.timeoutMs };
}

function placeOf({ settings }: Call, { bucket, prefix }: ContentsOptions): string {
  const name = visibleText(`${bucket}/${prefix}`);
  if (prefix === "") return `in the bucket ${bucket}`;
  return settings.byPrefix ? `that begins with ${name}` : `in ${name}`;
}
