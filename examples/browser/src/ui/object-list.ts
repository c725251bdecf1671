import type { ObjectListEntry } from "@ashlar/sdk";
import { arrange, type FolderEntry, type FolderView, type SortOrder } from "../browse/arrange.ts";
import type { FolderPage } from "../browse/folder.ts";
import { ARRANGED_MAX, type FolderContents, listUntil, NO_CONTENTS } from "../browse/folder-contents.ts";
import { createDrawnRows } from "./drawn-rows.ts";
import { button, element } from "./elements.ts";
import { explainError } from "./explain-error.ts";
import { announce } from "./notices.ts";
import { crumbsOf, folderRow, head, objectRow } from "./object-rows.ts";

/** What the list asks of the page. */
export interface ObjectListActions {
  list(prefix: string, cursor?: string): Promise<FolderPage>;
  preview(entry: ObjectListEntry): Promise<void>;
  download(entry: ObjectListEntry): Promise<void>;
  /** Asks the user first. @returns whether something was deleted. */
  deleteObject(entry: ObjectListEntry): Promise<boolean>;
  deleteFolder(prefix: string): Promise<boolean>;
  /** The user is in another folder now. */
  moved(prefix: string): void;
}

/** The list of a folder: crumbs, search and order, folders, objects, and more pages where there are any. */
export interface ObjectList {
  readonly node: HTMLElement;
  readonly prefix: () => string;
  open(prefix: string): void;
  /** Lists the folder anew, once for all calls within that time. */
  refreshSoon(afterMs: number): void;
}

const ORDERS: ReadonlyArray<readonly [SortOrder, string]> = [
  ["name", "by name"],
  ["newest", "newest first"],
  ["largest", "largest first"],
];
/** A search waits until the user has stopped typing for this long, in ms. */
const TYPING_MS = 200;

export function createObjectList(actions: ObjectListActions): ObjectList {
  const parts = createParts();
  const { node, crumbs, body, trouble, table, empty, more, end, search, order } = parts;
  let prefix = "";
  let contents = NO_CONTENTS;
  /** Whose rows are shown. */
  let listed: string | undefined;
  // The answer to an older question is dropped.
  let asked = 0;
  const view = (): FolderView => ({ search: search.value, order: order.value as SortOrder });
  const wantsAll = (): boolean => search.value !== "" || order.value !== "name";
  const rows = createDrawnRows<FolderEntry>({ body, end, rowOf: (entry, index) => rowOf(entry, index) });

  /** Deletes, and leaves the focus on the row that has taken the place. */
  const remove = async (name: string, index: number, deleting: Promise<boolean>): Promise<void> => {
    if (!(await deleting)) return;
    await load();
    announce(`${name} was deleted`);
    if (!rows.focus(index)) search.focus();
  };
  const rowOf = (entry: FolderEntry, index: number): HTMLTableRowElement =>
    entry.kind === "folder"
      ? folderRow(entry, open, () => remove(`The folder ${entry.name}`, index, actions.deleteFolder(entry.prefix)))
      : objectRow(entry, {
          preview: () => actions.preview(entry.object),
          download: () => actions.download(entry.object),
          delete: () => remove(entry.name, index, actions.deleteObject(entry.object)),
        });
  const show = (): void => {
    const entries = arrange(contents, prefix, view());
    rows.show(entries);
    empty.hidden = entries.length > 0;
    empty.textContent =
      search.value === ""
        ? "Nothing here yet. What you upload appears here."
        : `No name here has “${search.value}” in it.${contents.isCut ? ` Only the first ${ARRANGED_MAX} were looked at.` : ""}`;
    table.hidden = !empty.hidden;
    more.hidden = contents.nextCursor === undefined || wantsAll();
    end.textContent = contents.isCut && wantsAll() && empty.hidden ? `Of the first ${ARRANGED_MAX} files.` : "";
  };
  /** @param after lists on from there; default: anew, as far as it was shown. */
  const load = async (after?: FolderContents): Promise<void> => {
    const question = ++asked;
    const known = contents.folders.length + contents.objects.length;
    const untilCount = wantsAll() ? ARRANGED_MAX : after === undefined && listed === prefix ? known : known + 1;
    node.setAttribute("aria-busy", "true");
    try {
      const found = await listUntil((cursor) => actions.list(prefix, cursor), { after, untilCount });
      if (question !== asked) return;
      contents = found;
      listed = prefix;
      show();
      trouble.hidden = true;
    } catch (error) {
      if (question === asked) tell(error);
    } finally {
      if (question === asked) node.removeAttribute("aria-busy");
    }
  };
  const tell = (error: unknown): void => {
    const { code = "", whatToDo } = explainError(error);
    trouble.replaceChildren(`Could not list the files. ${whatToDo} `, element("code", {}, code));
    trouble.hidden = false;
    if (listed !== prefix) for (const part of [table, empty, more]) part.hidden = true;
  };
  const refresh = (): void => void load();
  const open = (to: string): void => {
    prefix = to;
    contents = NO_CONTENTS;
    search.value = "";
    crumbs.replaceChildren(...crumbsOf(prefix, open));
    actions.moved(prefix);
    refresh();
  };
  /** What is known is arranged at once; the rest of the folder is listed for it. */
  const arrangeAnew = (): void => {
    show();
    if (wantsAll() && contents.nextCursor !== undefined && !reachedMax(contents)) void load(contents);
  };
  let typing: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(arrangeAnew, TYPING_MS);
  });
  order.addEventListener("change", arrangeAnew);
  more.addEventListener("click", () => void load(contents));
  parts.refresh.addEventListener("click", refresh);
  return { node, prefix: () => prefix, open, refreshSoon: createSoon(refresh) };
}

/** Runs work after a time, once for all calls until then. A call does not put it off: while many files end one after the other, they appear all the same. */
function createSoon(work: () => void): (afterMs: number) => void {
  let isDue = false;
  return (afterMs) => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      work();
    }, afterMs);
  };
}

const reachedMax = ({ folders, objects }: FolderContents): boolean => folders.length + objects.length >= ARRANGED_MAX;

interface Parts {
  readonly node: HTMLElement;
  readonly crumbs: HTMLElement;
  readonly refresh: HTMLButtonElement;
  readonly search: HTMLInputElement;
  readonly order: HTMLSelectElement;
  readonly trouble: HTMLElement;
  readonly table: HTMLTableElement;
  readonly body: HTMLTableSectionElement;
  /** Below the rows. */
  readonly end: HTMLElement;
  readonly empty: HTMLElement;
  readonly more: HTMLButtonElement;
}

function createParts(): Parts {
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Folder" });
  const refresh = button("Refresh", () => {}, { kind: "quiet" });
  const search = element("input", {
    ...{ type: "search", placeholder: "Search this folder", "aria-label": "Search this folder" },
  });
  const order = element(
    "select",
    { "aria-label": "Order of the files" },
    ...ORDERS.map(([value, text]) => element("option", { value }, text)),
  );
  const trouble = element("p", { class: "trouble", role: "alert", hidden: true });
  const body = element("tbody");
  const table = element("table", { class: "objects" }, head(), body);
  const end = element("p", { class: "faint" });
  const empty = element("p", { class: "empty", hidden: true });
  const more = button("Show more", () => {}, { kind: "more" });
  const node = element(
    "div",
    {},
    element("div", { class: "head" }, crumbs, refresh),
    element("div", { class: "look" }, search, order),
    ...[trouble, table, end, empty, more],
  );
  return { node, crumbs, refresh, search, order, trouble, table, body, end, empty, more };
}
