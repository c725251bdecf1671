import type { ObjectListPage } from "../ports/index.ts";
import type { ListEntry } from "./inputs.ts";

const encoder = new TextEncoder();

/** Objects and prefixes of a page as one sequence in key order (UTF-8 bytes). */
export function mergeEntries(page: ObjectListPage): readonly ListEntry[] {
  const objects: readonly ListEntry[] = page.objects.map((object) => ({ type: "object" as const, ...object }));
  if (page.prefixes.length === 0) return objects;
  const prefixes: readonly ListEntry[] = page.prefixes.map((prefix) => ({ type: "prefix" as const, prefix }));
  const sortable = [...objects, ...prefixes].map((entry) => ({ entry, name: encoder.encode(nameOf(entry)) }));
  return sortable.sort((a, b) => compareBytes(a.name, b.name)).map(({ entry }) => entry);
}

function nameOf(entry: ListEntry): string {
  return entry.type === "object" ? entry.key : entry.prefix;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.byteLength, b.byteLength);
  for (let index = 0; index < shorter; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return a.byteLength - b.byteLength;
}
