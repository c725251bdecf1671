import { button, byId, element } from "./elements.ts";
import { explainError } from "./explain-error.ts";

/** Shows an error at the top of the page until the user has read it. @param doing what was tried, as in "list the files". */
export function showError(doing: string, error: unknown): void {
  const { code, what, whatToDo } = explainError(error);
  const notice = element(
    "div",
    { class: "notice" },
    element("p", {}, element("strong", {}, `Could not ${doing}. `), whatToDo),
    element("p", { class: "faint" }, code === undefined ? "" : element("code", {}, code), ` ${what}`),
    button("×", () => notice.remove(), { label: "Dismiss this message", kind: "quiet dismiss" }),
  );
  byId("notices").replaceChildren(notice);
}

/** Runs what a click asked for; a failure is shown. */
export function attempt(doing: string, work: () => Promise<void>): void {
  work().catch((error: unknown) => showError(doing, error));
}
