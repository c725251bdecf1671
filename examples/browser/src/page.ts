import type { ObjectClient } from "@ashlar/sdk";
import { ANSWER_MS } from "./answer-limit.ts";
import { createDownload } from "./browse/download.ts";
import { deleteFolder, listFolder } from "./browse/folder.ts";
import { hashOf, prefixOf } from "./browse/folder-address.ts";
import type { Connections } from "./connections.ts";
import { createTransferQueue, isUnderWay } from "./transfers/transfer-queue.ts";
import { closeDialogs, confirmDelete, previewDialog } from "./ui/dialogs.ts";
import { connectDropZone } from "./ui/drop-zone.ts";
import { byId } from "./ui/elements.ts";
import { attempt, clearNotice } from "./ui/notices.ts";
import { createObjectList, type ObjectList } from "./ui/object-list.ts";
import { createTransferList } from "./ui/transfer-list.ts";
import { visibleName } from "./ui/visible-name.ts";
import { createWayPicker } from "./ui/way-picker.ts";
import { describeWay } from "./ui/where.ts";
import type { PickedFile } from "./uploads/picked-files.ts";
import { createUnfinished } from "./uploads/unfinished.ts";
import { createUpload } from "./uploads/upload.ts";

/** Lists are read again this long after something has changed, in ms: many small files may end at once. */
const REFRESH_AFTER_MS = 300;

/** What the parts of the page share. */
interface Shared {
  readonly bucket: string;
  /** The client of the way that is chosen now. */
  readonly client: () => Promise<ObjectClient>;
}

/** Puts the page's parts together. */
export function startPage(connections: Connections): void {
  const picker = createWayPicker(() => tellWhere());
  const tellWhere = (): void =>
    attempt("reach the store", async () => {
      byId("where").textContent = await describeWay(connections, picker.way()).catch((error: unknown) => {
        byId("where").textContent = "not connected";
        throw error;
      });
    });
  const shared: Shared = { bucket: connections.bucket, client: () => connections.client(picker.way()) };
  byId("ways").append(picker.node);

  const transfers = startTransfers(shared, (key) => {
    if (key.startsWith(objects.prefix())) objects.refreshSoon(REFRESH_AFTER_MS);
  });
  const objects = createObjects(shared, transfers.download);
  connectDropZone((files) => {
    for (const picked of files) transfers.upload(picked, objects.prefix() + picked.path);
  });
  byId("objects").append(objects.node);
  objects.open(prefixOf(location.hash));
  addEventListener("popstate", () => {
    closeDialogs();
    objects.open(prefixOf(location.hash));
  });
  tellWhere();
}

interface Transfers {
  upload(picked: PickedFile, key: string): void;
  /** Must be called by a click: the browser asks where to put the file. */
  download(entry: { readonly key: string; readonly sizeBytes: number }): Promise<void>;
}

/** The queue and its list. @param onUploaded is called with each key that is new in the store. */
function startTransfers({ bucket, client }: Shared, onUploaded: (key: string) => void): Transfers {
  const queue = createTransferQueue(() => list.changed());
  const list = createTransferList(queue);
  // The browser asks the user, with its own text.
  addEventListener("beforeunload", (event) => queue.transfers().some(isUnderWay) && event.preventDefault());
  const onChange = (): void => {
    list.changed();
    queue.advance();
  };
  const upload = (picked: PickedFile, key: string): void => {
    const transfer = createUpload({
      ...{ picked, bucket, key, client },
      onChange() {
        onChange();
        if (transfer.status().state === "done") onUploaded(key);
      },
    });
    queue.add(transfer);
    clearNotice(`resume ${visibleName(picked.file.name)}`);
    unfinished.show();
  };
  const isListed = (key: string): boolean =>
    queue.transfers().some((each) => each.key === key && !["done", "canceled"].includes(each.status().state));
  const unfinished = createUnfinished({ bucket, client, isListed, upload });
  byId("transfers").append(list.node);
  byId("unfinished").append(unfinished.node);
  unfinished.show();
  return {
    upload,
    async download({ key, sizeBytes }) {
      const transfer = await createDownload({ bucket, key, sizeBytes, client, onChange });
      if (transfer !== undefined) queue.add(transfer);
    },
  };
}

function createObjects({ bucket, client }: Shared, download: Transfers["download"]): ObjectList {
  return createObjectList({
    list: async (prefix, cursor) => listFolder(await client(), { bucket, prefix, cursor }),
    preview: async (entry) =>
      previewDialog(await client(), { bucket, key: entry.key }, () =>
        attempt(`download ${visibleName(entry.key)}`, () => download(entry)),
      ),
    download,
    async deleteObject({ key }) {
      if (!(await confirmDelete({ what: "", name: key, detail: "This cannot be undone." }))) return false;
      await (await client()).deleteObject({ bucket, key, timeoutMs: ANSWER_MS });
      return true;
    },
    async deleteFolder(prefix) {
      const detail = "All that is in it goes too. This cannot be undone.";
      const agreed = await confirmDelete({ what: "the folder ", name: prefix, detail });
      if (agreed) await deleteFolder(await client(), bucket, prefix);
      return agreed;
    },
    moved(prefix) {
      // Not if the page came here by its address.
      if (prefixOf(location.hash) !== prefix) history.pushState(null, "", hashOf(prefix));
      byId("target").textContent = prefix === "" ? "All files" : visibleName(prefix);
    },
  });
}
