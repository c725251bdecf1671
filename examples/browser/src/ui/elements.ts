import { visibleName } from "./visible-name.ts";

type Attributes = Readonly<Record<string, string | boolean | undefined>>;
type Child = Node | string | undefined;

/** An element with attributes (`true` for those without a value) and children. Text stays text: it is never read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (typeof value === "string") made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A name that users gave. Letters that run from right to left do not turn the text around it. */
export function nameText(name: string): HTMLElement {
  return element("bdi", { class: "given" }, visibleName(name));
}

/** A button. @param label what a screen reader says, if the text alone is not clear. */
export function button(
  text: string | readonly Child[],
  onClick: () => void,
  { label, kind }: { readonly label?: string; readonly kind?: string } = {},
): HTMLButtonElement {
  const made = element(
    "button",
    { type: "button", "aria-label": label, class: kind },
    ...(typeof text === "string" ? [text] : text),
  );
  made.addEventListener("click", onClick);
  return made;
}

/** An element of the page by its id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as T;
}
