import type { ObjectListEntry } from "@ashlar/sdk";
import { arrange, type FolderEntry, type SortOrder } from "../browse/arrange.ts";
import type { FolderPage } from "../browse/folder.ts";
import { ARRANGED_MAX, countOf, type FolderContents, listUntil, NO_CONTENTS } from "../browse/folder-contents.ts";
import { createDrawnRows } from "./drawn-rows.ts";
import { button, element } from "./elements.ts";
import { explainError } from "./explain-error.ts";
import { type LookedAt, wordsBelow, wordsForNone } from "./looked-at.ts";
import { announce } from "./notices.ts";
import { crumbsOf, folderRow, head, objectRow } from "./object-rows.ts";
import { visibleName } from "./visible-name.ts";

/** What the list needs from the page. */
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

/** The list of a folder: path, search and order, folders, objects, and more pages if there are any. */
export interface ObjectList {
  readonly node: HTMLElement;
  readonly prefix: () => string;
  open(prefix: string): void;
  /** Lists the folder again, once for all calls within that time. */
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
  /** The folder whose rows are shown. */
  let listed: string | undefined;
  // The answer to an older request is dropped.
  let asked = 0;
  let state: LookedAt["state"] = "idle";
  const wantsAll = (): boolean => search.value !== "" || order.value !== "name";
  const rows = createDrawnRows<FolderEntry>({ body, end, rowOf: (entry, index) => rowOf(entry, index) });

  /** Deletes, and puts the focus on the row that is now in this place. */
  const remove = async ({ kind, name }: FolderEntry, index: number, deleting: Promise<boolean>): Promise<void> => {
    if (!(await deleting)) return;
    await load();
    announce(`${kind === "folder" ? "The folder " : ""}${visibleName(name)} was deleted`);
    if (!rows.focus(index)) search.focus();
  };
  const rowOf = (entry: FolderEntry, index: number): HTMLTableRowElement =>
    entry.kind === "folder"
      ? folderRow(entry, open, () => remove(entry, index, actions.deleteFolder(entry.prefix)))
      : objectRow(entry, {
          preview: () => actions.preview(entry.object),
          download: () => actions.download(entry.object),
          delete: () => remove(entry, index, actions.deleteObject(entry.object)),
        });
  const show = (): void => {
    const entries = arrange(contents, prefix, { search: search.value, order: order.value as SortOrder });
    const looked = { contents, isListed: listed === prefix, state };
    rows.show(entries);
    empty.hidden = entries.length > 0;
    empty.textContent = wordsForNone(search.value, looked);
    table.hidden = !empty.hidden;
    more.hidden = contents.nextCursor === undefined || wantsAll();
    end.textContent = wantsAll() && empty.hidden ? wordsBelow(looked) : "";
  };
  /** @param after continues from there; default: from the start, as far as it was shown. */
  const load = async (after?: FolderContents): Promise<void> => {
    const question = ++asked;
    const known = countOf(contents);
    state = "loading";
    const untilCount = wantsAll() ? ARRANGED_MAX : after === undefined && listed === prefix ? known : known + 1;
    node.setAttribute("aria-busy", "true");
    try {
      const found = await listUntil((cursor) => actions.list(prefix, cursor), { after, untilCount });
      if (question !== asked) return;
      contents = found;
      listed = prefix;
      state = "idle";
      trouble.hidden = true;
      // Somebody may have begun to search meanwhile.
      arrangeAnew();
    } catch (error) {
      if (question === asked) tell(error);
    } finally {
      if (question === asked) node.removeAttribute("aria-busy");
    }
  };
  const tell = (error: unknown): void => {
    trouble.replaceChildren(...troubleOf(error));
    trouble.hidden = false;
    state = "failed";
    if (listed === prefix) show();
    else for (const part of [table, empty, more]) part.hidden = true;
  };
  const open = (to: string): void => {
    prefix = to;
    contents = NO_CONTENTS;
    search.value = "";
    crumbs.replaceChildren(...crumbsOf(prefix, open));
    actions.moved(prefix);
    void load();
  };
  /** The entries that were listed are arranged at once; the rest of the folder is listed then. */
  const arrangeAnew = (): void => {
    if (wantsAll() && contents.nextCursor !== undefined && countOf(contents) < ARRANGED_MAX) void load(contents);
    // A folder that could not be listed has nothing to arrange.
    if (listed === prefix || state === "loading") show();
  };
  let typing: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(arrangeAnew, TYPING_MS);
  });
  order.addEventListener("change", arrangeAnew);
  more.addEventListener("click", () => void load(contents));
  parts.refresh.addEventListener("click", () => void load());
  return { node, prefix: () => prefix, open, refreshSoon: createSoon(() => void load()) };
}

function troubleOf(error: unknown): readonly (Node | string)[] {
  const { code = "", whatToDo } = explainError(error);
  return [`Could not list the files. ${whatToDo} `, element("code", {}, code)];
}

/** Runs work after a time, once for all calls until then. More calls do not delay it, so files appear even while many end one after the other. */
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
