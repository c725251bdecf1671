import { LIMITS, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { type CommandCall, defineCommand, listArgument } from "../command.ts";
import { formatCount } from "../format.ts";
import { type Address, parseAddress, parseObjectAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "recursive", "force", "timeoutMs", "quiet", "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const rmCommand = defineCommand({
  name: "rm",
  summary: "delete objects",
  arguments: [{ name: "<objects...>", help: "bucket/key; with -r everything that begins with bucket/prefix" }],
  settings: SETTINGS,
  examples: ["rm photos/2026/cat.jpg", "rm -r photos/2026/"],
  async run(call: Call) {
    const { settings, output } = call;
    const parse = settings.recursive ? parseAddress : parseObjectAddress;
    const addresses = listArgument(call, 0).map(parse);
    await using client = await openClient(settings);
    let deletedCount = 0;
    for (const address of addresses) {
      deletedCount += settings.recursive
        ? await removeBelow(call, client, address)
        : await removeOne(call, client, address);
    }
    if (output.json || !settings.quiet) {
      await output.result({ deletedCount }, `deleted ${formatCount(deletedCount, "object")}`);
    }
    return 0;
  },
});

async function removeOne({ settings, signal }: Call, client: ObjectClient, address: Address): Promise<number> {
  if (await client.deleteObject({ ...address, signal, timeoutMs: settings.timeoutMs })) return 1;
  if (settings.force) return 0;
  const { bucket, key } = address;
  throw new AshlarError("OBJECT_NOT_FOUND", `no object ${key} in ${bucket}`, { details: { bucket, key } });
}

async function removeBelow(
  { settings, signal }: Call,
  client: ObjectClient,
  { bucket, key }: Address,
): Promise<number> {
  let deletedCount = 0;
  for (;;) {
    const page = await client.listObjectsPage({ bucket, prefix: key, limit: LIMITS.DELETE_MANY_MAX.value, signal });
    const keys = page.objects.map((entry) => entry.key);
    if (keys.length === 0) return deletedCount;
    const outcomes = await client.deleteObjects({ bucket, keys, signal, timeoutMs: settings.timeoutMs });
    for (const { error } of outcomes) if (error !== undefined) throw error;
    deletedCount += outcomes.filter((outcome) => outcome.deleted).length;
  }
}
