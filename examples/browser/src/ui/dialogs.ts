import type { ObjectClient } from "@ashlar/sdk";
import { loadPreview, type Preview } from "../browse/preview.ts";
import { button, element, nameText } from "./elements.ts";
import { formatBytes, formatTime } from "./format.ts";
import { visibleName } from "./visible-name.ts";

/** What is to be deleted. */
export interface Deletion {
  /** Before the name, as in "the folder ". */
  readonly what: string;
  readonly name: string;
  readonly detail: string;
}

/** Asks before something is deleted. @returns whether the user agreed. */
export async function confirmDelete({ what, name, detail }: Deletion): Promise<boolean> {
  const dialog = element("dialog", { class: "confirm", "aria-label": `Delete ${what}${visibleName(name)}?` });
  const ask = new Promise<boolean>((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
  dialog.append(
    element("h3", {}, `Delete ${what}`, nameText(name), "?"),
    element("p", {}, detail),
    element(
      "div",
      { class: "buttons end" },
      button("Keep", () => dialog.close("no")),
      button("Delete", () => dialog.close("yes"), { kind: "danger" }),
    ),
  );
  open(dialog);
  return await ask;
}

/** Shows an object: a picture, the beginning of a text, or at least its facts. @throws what the store throws; then no dialog is open. */
export async function previewDialog(
  client: ObjectClient,
  ref: { readonly bucket: string; readonly key: string },
  onDownload: () => void,
): Promise<void> {
  const { key } = ref;
  const closing = new AbortController();
  const content = element(
    "div",
    { class: "content", "aria-busy": "true" },
    element("p", { class: "faint" }, "loading …"),
  );
  const facts = element("p", { class: "faint facts" });
  const dialog = element(
    "dialog",
    { class: "preview", "aria-label": visibleName(key) },
    element(
      "div",
      { class: "head" },
      element("h3", {}, nameText(key.slice(key.lastIndexOf("/") + 1))),
      download(),
      close(),
    ),
    content,
    facts,
  );
  dialog.addEventListener("close", () => closing.abort());
  open(dialog);
  try {
    const preview = await loadPreview(client, { ...ref, signal: closing.signal });
    content.replaceChildren(contentOf(preview, closing.signal));
    facts.textContent = factsOf(preview);
  } catch (error) {
    if (closing.signal.aborted) return;
    dialog.close();
    throw error;
  } finally {
    content.removeAttribute("aria-busy");
  }
  function close(): HTMLButtonElement {
    return button("Close", () => dialog.close());
  }
  function download(): HTMLButtonElement {
    return button("Download", onDownload);
  }
}

function contentOf(preview: Preview, closed: AbortSignal): Node {
  switch (preview.kind) {
    case "image": {
      const url = URL.createObjectURL(preview.blob);
      closed.addEventListener("abort", () => URL.revokeObjectURL(url));
      const picture = element("img", { src: url, alt: visibleName(preview.info.key) });
      picture.addEventListener("error", () => picture.replaceWith(nothingToShow("This picture cannot be shown.")));
      return picture;
    }
    case "text": {
      const more = preview.isWhole ? undefined : element("p", { class: "faint" }, "Only the beginning is shown.");
      return element("div", {}, element("pre", { tabindex: "0" }, preview.text), more);
    }
    case "none":
      return nothingToShow(preview.why);
  }
}

function nothingToShow(why: string): HTMLElement {
  return element("p", { class: "empty" }, why);
}

function factsOf({ info }: Preview): string {
  const facts = [info.contentType, formatBytes(info.sizeBytes), formatTime(info.createdAtMs)];
  if (info.sha256 !== undefined) facts.push(`SHA-256 ${info.sha256.slice(0, 16)}…`);
  return facts.join(" · ");
}

/** Closes the open dialog, as the Escape key does. */
export function closeDialogs(): void {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/** A dialog that is removed from the page when it closes, by its buttons, the Escape key or a click outside. */
function open(dialog: HTMLDialogElement): void {
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
