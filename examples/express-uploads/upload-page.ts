import type { BucketHandle } from "@ashlar/sdk";

/** The page: a form, and a link to each file. */
export async function uploadPage(files: BucketHandle): Promise<string> {
  const rows: string[] = [];
  for await (const entry of files.list()) {
    if (entry.type !== "object") continue;
    const [id = "", ...name] = entry.key.split("/");
    const path = `/files/${id}/${name.map(encodeURIComponent).join("/")}`;
    rows.push(
      `<li><a href="${path}">${escapeHtml(name.join("/"))}</a> ${entry.sizeBytes} ${entry.sizeBytes === 1 ? "byte" : "bytes"}</li>`,
    );
  }
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Uploads</title>
<h1>Uploads</h1>
<form action="/files" method="post" enctype="multipart/form-data">
  <input type="file" name="file" aria-label="Files" multiple required>
  <button>Upload</button>
</form>
<ul>${rows.join("\n")}</ul>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
