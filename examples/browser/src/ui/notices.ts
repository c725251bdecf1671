import { button, byId, element } from "./elements.ts";
import { explainError } from "./explain-error.ts";

/** A message to the user at the top of the page. */
export interface Notice {
  /** What was tried, as in "list the files". */
  readonly doing: string;
  readonly whatToDo: string;
  /** For the person who helps the user. */
  readonly what: string;
  /** A stable error code of the store. */
  readonly code?: string | undefined;
}

/** Shows a notice until the user closes it, or until the action succeeds. It replaces an older one. */
export function showNotice({ doing, whatToDo, what, code }: Notice): void {
  const notice = element(
    "div",
    { class: "notice", "data-doing": doing },
    element("p", {}, element("strong", {}, `Could not ${doing}. `), whatToDo),
    element("p", { class: "faint" }, code === undefined ? "" : element("code", {}, code), ` ${what}`),
    button("×", () => notice.remove(), { label: "Dismiss this message", kind: "quiet dismiss" }),
  );
  byId("notices").replaceChildren(notice);
}

/** Shows an error as a notice. */
export function showError(doing: string, error: unknown): void {
  showNotice({ doing, ...explainError(error) });
}

/** Removes the notice that this failed: now it has succeeded. */
export function clearNotice(doing: string): void {
  for (const notice of byId("notices").querySelectorAll<HTMLElement>(".notice")) {
    if (notice.dataset.doing === doing) notice.remove();
  }
}

/** Runs the action of a click; a failure is shown. */
export function attempt(doing: string, work: () => Promise<void>): void {
  work().then(
    () => clearNotice(doing),
    (error: unknown) => showError(doing, error),
  );
}

/** Tells screen readers what has happened, if the focused element does not. */
export function announce(text: string): void {
  byId("announcements").textContent = text;
}

/** While a call waits for the store, it is tried at least this often, in ms. */
const STILL_WAITING_MS = 4000;
let patience: ReturnType<typeof setTimeout> | undefined;

/** Says that calls are tried again automatically, as long as they are. */
export function showPatience(): void {
  const line = byId("patience");
  line.textContent = "The store does not answer. Trying again …";
  line.hidden = false;
  clearTimeout(patience);
  patience = setTimeout(() => {
    line.hidden = true;
  }, STILL_WAITING_MS);
}
