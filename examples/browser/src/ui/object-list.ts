import type { ObjectListEntry } from "@ashlar/sdk";
import type { FolderPage } from "../browse/folder.ts";
import { button, element, nameText } from "./elements.ts";
import { explainError } from "./explain-error.ts";
import { formatBytes, formatTime } from "./format.ts";
import { icon } from "./icons.ts";
import { attempt } from "./notices.ts";

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

/** The list of a folder: crumbs, folders, objects, and more pages where there are any. */
export interface ObjectList {
  readonly node: HTMLElement;
  readonly prefix: () => string;
  open(prefix: string): void;
  /** Lists the folder anew, once for all calls within that time. */
  refreshSoon(afterMs: number): void;
}

export function createObjectList(actions: ObjectListActions): ObjectList {
  let prefix = "";
  /** Whose rows are shown. */
  let listed: string | undefined;
  // The answer to an older question is dropped.
  let asked = 0;
  const crumbs = element("nav", { class: "crumbs", "aria-label": "Folder" });
  const refreshButton = button("Refresh", () => refresh(), { kind: "quiet" });
  const body = element("tbody");
  const empty = element("p", { class: "empty", hidden: true }, "Nothing here yet. What you upload appears here.");
  const trouble = element("p", { class: "trouble", role: "alert", hidden: true });
  const more = button("Show more", () => {}, { kind: "more" });
  const table = element("table", { class: "objects" }, head(), body);
  const node = element(
    "div",
    {},
    element("div", { class: "head" }, crumbs, refreshButton),
    trouble,
    table,
    empty,
    more,
  );
  const gone = (deleting: Promise<boolean>): Promise<void> => deleting.then((deleted) => deleted && refresh()).then();

  const rowsOf = (page: FolderPage): readonly HTMLTableRowElement[] => [
    ...page.folders.map((folder) => folderRow(folder, prefix, open, () => gone(actions.deleteFolder(folder)))),
    ...page.objects.map((entry) =>
      objectRow(entry, prefix, {
        preview: () => actions.preview(entry),
        download: () => actions.download(entry),
        delete: () => gone(actions.deleteObject(entry)),
      }),
    ),
  ];
  const load = async (cursor?: string): Promise<void> => {
    const question = ++asked;
    node.setAttribute("aria-busy", "true");
    try {
      const page = await actions.list(prefix, cursor);
      if (question !== asked) return;
      if (cursor === undefined) body.replaceChildren();
      listed = prefix;
      body.append(...rowsOf(page));
      empty.hidden = body.childElementCount > 0;
      table.hidden = !empty.hidden;
      more.hidden = page.nextCursor === undefined;
      more.onclick = () => void load(page.nextCursor);
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
    crumbs.replaceChildren(...crumbsOf(prefix, open));
    actions.moved(prefix);
    refresh();
  };
  let refreshing: ReturnType<typeof setTimeout> | undefined;
  const refreshSoon = (afterMs: number): void => {
    clearTimeout(refreshing);
    refreshing = setTimeout(refresh, afterMs);
  };
  return { node, prefix: () => prefix, open, refreshSoon };
}

function head(): HTMLTableSectionElement {
  const titles = ["Name", "Size", "Written"].map((title) => element("th", { scope: "col" }, title));
  const hidden = element("span", { class: "for-screen-readers" }, "Actions");
  return element("thead", {}, element("tr", {}, ...titles, element("th", { scope: "col" }, hidden)));
}

function crumbsOf(prefix: string, open: (prefix: string) => void): readonly HTMLElement[] {
  const names = prefix.split("/").slice(0, -1);
  const places = [{ name: "All files", to: "" }].concat(
    names.map((name, index) => ({ name, to: `${names.slice(0, index + 1).join("/")}/` })),
  );
  return places.flatMap(({ name, to }) => {
    if (to === prefix) return [element("span", { "aria-current": "page" }, nameText(name))];
    return [
      button([nameText(name)], () => open(to), { kind: "link" }),
      element("span", { "aria-hidden": "true" }, "/"),
    ];
  });
}

function folderRow(
  folder: string,
  prefix: string,
  open: (prefix: string) => void,
  remove: () => Promise<void>,
): HTMLTableRowElement {
  const name = folder.slice(prefix.length);
  const link = button([icon("folder"), nameText(name)], () => open(folder), {
    label: `Open folder ${name}`,
    kind: "link",
  });
  link.title = name;
  const deleting = button("Delete", () => attempt(`delete ${name}`, remove), {
    label: `Delete folder ${name}`,
    kind: "quiet",
  });
  return element(
    "tr",
    { class: "folder" },
    element("td", { class: "object-name" }, link),
    element("td", { class: "number" }),
    element("td", { class: "when" }),
    element("td", { class: "actions" }, deleting),
  );
}

function objectRow(
  entry: ObjectListEntry,
  prefix: string,
  actions: Readonly<Record<"preview" | "download" | "delete", () => Promise<void>>>,
): HTMLTableRowElement {
  const name = entry.key.slice(prefix.length);
  const act = (text: string, verb: keyof typeof actions, kind: string): HTMLButtonElement =>
    button(text, () => attempt(`${verb} ${name}`, actions[verb]), { label: `${text} ${name}`, kind });
  const link = button([icon("file"), nameText(name)], () => attempt(`show ${name}`, actions.preview), {
    label: `Preview ${name}`,
    kind: "link",
  });
  link.title = name;
  return element(
    "tr",
    {},
    element("td", { class: "object-name" }, link),
    element("td", { class: "number" }, formatBytes(entry.sizeBytes)),
    element("td", { class: "faint when" }, formatTime(entry.createdAtMs)),
    element("td", { class: "actions" }, act("Download", "download", "quiet"), act("Delete", "delete", "quiet")),
  );
}
