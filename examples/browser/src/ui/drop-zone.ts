import { filesOfDrop, filesOfInput, type PickedFile } from "../uploads/picked-files.ts";
import { byId } from "./elements.ts";
import { attempt } from "./notices.ts";

/** Takes files that are dropped anywhere on the page, or chosen with the two buttons. */
export function connectDropZone(onFiles: (files: readonly PickedFile[]) => void): void {
  const zone = byId("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) zone.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const { dataTransfer } = event;
    if (dataTransfer === null) return;
    attempt("read what was dropped", async () => onFiles(await filesOfDrop(dataTransfer)));
  });
  connectInput("choose-files", "files", onFiles);
  connectInput("choose-folder", "folder", onFiles);
}

function connectInput(buttonId: string, inputId: string, onFiles: (files: readonly PickedFile[]) => void): void {
  const input = byId<HTMLInputElement>(inputId);
  byId(buttonId).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    onFiles(filesOfInput(input));
    // So that the same file can be chosen again.
    input.value = "";
  });
}
