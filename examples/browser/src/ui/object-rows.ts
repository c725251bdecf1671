import type { FolderEntry } from "../browse/arrange.ts";
import { button, element, nameText } from "./elements.ts";
import { formatBytes, formatTime } from "./format.ts";
import { icon } from "./icons.ts";
import { attempt } from "./notices.ts";
import { visibleName } from "./visible-name.ts";

/** The head of the table. */
export function head(): HTMLTableSectionElement {
  const titles = ["Name", "Size", "Written"].map((title) => element("th", { scope: "col" }, title));
  const hidden = element("span", { class: "for-screen-readers" }, "Actions");
  return element("thead", {}, element("tr", {}, ...titles, element("th", { scope: "col" }, hidden)));
}

/** The path to a folder; each part is a button. */
export function crumbsOf(prefix: string, open: (prefix: string) => void): readonly HTMLElement[] {
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

export function folderRow(
  { name: given, prefix }: Extract<FolderEntry, { readonly kind: "folder" }>,
  open: (prefix: string) => void,
  remove: () => Promise<void>,
): HTMLTableRowElement {
  const name = visibleName(given);
  const link = button([icon("folder"), nameText(name)], () => open(prefix), {
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

export function objectRow(
  { name: given, object }: Extract<FolderEntry, { readonly kind: "object" }>,
  actions: Readonly<Record<"preview" | "download" | "delete", () => Promise<void>>>,
): HTMLTableRowElement {
  const name = visibleName(given);
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
    element("td", { class: "number" }, formatBytes(object.sizeBytes)),
    element("td", { class: "faint when" }, formatTime(object.createdAtMs)),
    element("td", { class: "actions" }, act("Download", "download", "quiet"), act("Delete", "delete", "quiet")),
  );
}
