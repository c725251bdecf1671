import { fileOfHandle, filesOfInput, type PickedFile } from "../uploads/picked-files.ts";
import { isFileOf, type ResumeToken } from "../uploads/resume-tokens.ts";
import { button, element, nameText } from "./elements.ts";
import { formatBytes } from "./format.ts";
import { attempt, showNotice } from "./notices.ts";
import { visibleName } from "./visible-name.ts";

/** What can be done with an upload that an earlier visit left unfinished. */
export interface UnfinishedActions {
  /** Bytes that the store has of it; `undefined` if the store has aborted the upload. */
  storedBytes(token: ResumeToken): Promise<number | undefined>;
  resume(token: ResumeToken, picked: PickedFile): void;
  discard(token: ResumeToken): Promise<void>;
}

/** The uploads of earlier visits. A page may not open a file again by itself: the user chooses it, or allows it if the browser kept a handle. */
export function unfinishedList(tokens: readonly ResumeToken[], actions: UnfinishedActions): HTMLElement {
  const list = element("ul", { class: "transfers" }, ...tokens.map((token) => unfinishedRow(token, actions)));
  return element(
    "section",
    { class: "unfinished", hidden: tokens.length === 0, "aria-label": "Unfinished uploads" },
    element("h3", {}, "Unfinished uploads"),
    element("p", { class: "faint" }, "Choose the same file again, or drop it above: only what is missing is sent."),
    list,
  );
}

function unfinishedRow(token: ResumeToken, actions: UnfinishedActions): HTMLLIElement {
  const { key, sizeBytes, handle } = token;
  const name = visibleName(token.name);
  const detail = element("p", { class: "detail" }, formatBytes(sizeBytes));
  attempt(`ask for ${name}`, async () => {
    const stored = await actions.storedBytes(token);
    detail.textContent =
      stored === undefined
        ? `${formatBytes(sizeBytes)}, starts again: the store has aborted it`
        : `${formatBytes(stored)} of ${formatBytes(sizeBytes)} are in the store`;
  });
  const resume = (picked: PickedFile): void => {
    if (isFileOf(token, picked.file)) actions.resume(token, picked);
    else {
      const whatToDo = `Choose ${name} as it was when the upload began, or discard the upload.`;
      showNotice({
        doing: `resume ${name}`,
        whatToDo,
        what: `${visibleName(picked.file.name)} is another file, or has been changed since`,
      });
    }
  };
  const input = element("input", { type: "file", hidden: true, "aria-label": `The file ${name}` });
  input.addEventListener("change", () => {
    for (const picked of filesOfInput(input)) resume(picked);
  });
  const choose = button("Choose file", () => input.click(), { label: `Choose ${name} again` });
  const goOn = handle && button("Continue", () => attempt(`open ${name}`, () => reopen(handle).then(resume)));
  const discard = button("Discard", () => attempt(`discard ${name}`, () => actions.discard(token)), {
    label: `Discard ${name}`,
    kind: "quiet",
  });
  const buttons = element("div", { class: "row-buttons" }, goOn ?? choose, discard, input);
  return element(
    "li",
    {},
    element(
      "div",
      { class: "head" },
      element("p", { class: "name", title: visibleName(key) }, nameText(name)),
      buttons,
    ),
    detail,
  );
}

/** Only Chromium has it. */
interface AskingHandle extends FileSystemFileHandle {
  requestPermission?(options: { readonly mode: "read" }): Promise<PermissionState>;
}

async function reopen(handle: AskingHandle): Promise<PickedFile> {
  await handle.requestPermission?.({ mode: "read" });
  return await fileOfHandle(handle, "");
}
