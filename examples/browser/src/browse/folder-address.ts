/** A folder as the part of the page's address after `#`, so that Back, a reload and a bookmark find it: `#2026/cats/`. */
export function hashOf(prefix: string): string {
  return `#${prefix.split("/").map(encodeURIComponent).join("/")}`;
}

/** The folder that an address names; all files if it names none. */
export function prefixOf(hash: string): string {
  try {
    const prefix = hash.slice(1).split("/").map(decodeURIComponent).join("/");
    return prefix.endsWith("/") ? prefix : "";
  } catch {
    return ""; // somebody typed it
  }
}
