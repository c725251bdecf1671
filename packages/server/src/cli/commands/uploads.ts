import type { UploadInfo } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatCount, formatTime } from "../../observability/format.ts";
import { confirm } from "../cli-io.ts";
import { type CommandCall, defineCommand, listArgument, textArgument } from "../command.ts";
import { parseAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const LIST_SETTINGS = [...SEAT_SETTINGS, "limit", "timeoutMs", "json", "debug"] as const;
const ABORT_SETTINGS = [...SEAT_SETTINGS, "yes", "timeoutMs", "quiet", "json", "debug"] as const;

export const uploadsLsCommand = defineCommand({
  name: "uploads ls",
  summary: "list unfinished multipart uploads: they hold chunks, and a bucket that has one cannot be removed",
  arguments: [{ name: "<prefix>", help: "bucket, bucket/ or bucket/prefix" }],
  settings: LIST_SETTINGS,
  examples: ["uploads ls photos"],
  async run(call: CommandCall<(typeof LIST_SETTINGS)[number]>) {
    const { settings, signal, output } = call;
    const { bucket, key: prefix } = parseAddress(textArgument(call, 0));
    await using client = await openClient(settings);
    let count = 0;
    for await (const upload of client.listUploads({ bucket, prefix, signal, timeoutMs: settings.timeoutMs })) {
      const { uploadId, key, createdAtMs } = upload;
      await output.result(upload, `${formatTime(createdAtMs)}  ${visibleText(`${uploadId}  ${key}`)}`);
      if (++count === settings.limit) return 0;
    }
    if (count === 0) output.note(`no unfinished uploads in ${bucket}`);
    return 0;
  },
});

export const uploadsAbortCommand = defineCommand({
  name: "uploads abort",
  summary: "abort unfinished uploads: those that are named, or all, which asks first or needs --yes",
  arguments: [
    { name: "<prefix>", help: "bucket, bucket/ or bucket/prefix" },
    { name: "[ids...]", help: "as uploads ls shows them; default: all" },
  ],
  settings: ABORT_SETTINGS,
  examples: ["uploads abort photos --yes", "uploads abort photos 0192f1c2a4b87c3d8e5f60718293a4b5"],
  async run(call: CommandCall<(typeof ABORT_SETTINGS)[number]>) {
    const { settings, signal, output } = call;
    const { bucket, key: prefix } = parseAddress(textArgument(call, 0));
    const ids = listArgument(call, 1);
    const options = { signal, timeoutMs: settings.timeoutMs };
    await using client = await openClient(settings);
    const uploads: UploadInfo[] = [];
    for await (const upload of client.listUploads({ bucket, prefix, ...options })) uploads.push(upload);
    const unknown = ids.find((id) => uploads.every(({ uploadId }) => uploadId !== id));
    if (unknown !== undefined) {
      const details = { bucket, uploadId: unknown };
      throw new AshlarError("UPLOAD_NOT_FOUND", `no unfinished upload of ${bucket} has the id ${unknown}`, { details });
    }
    const meant = ids.length === 0 ? uploads : uploads.filter(({ uploadId }) => ids.includes(uploadId));
    if (ids.length === 0 && meant.length > 0) {
      await confirm(call, `abort ${formatCount(meant.length, "unfinished upload")} of ${bucket}/${prefix}`);
    }
    for (const { uploadId } of meant) await client.abortUpload({ uploadId, ...options });
    if (output.json || !settings.quiet) {
      const value = { bucket, abortedCount: meant.length };
      await output.result(value, `aborted ${formatCount(meant.length, "unfinished upload")}`);
    }
    return 0;
  },
});
