/** Changes everything in an object, like a caller that uses it again for the next call: every text, number and list, at any depth. */
export function wreck(value: object): void {
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries(members)) {
    if (typeof member === "object" && member !== null) wreck(member);
    else members[name] = typeof member === "number" ? 2 ** 40 : "wrecked";
  }
  if (Array.isArray(value)) value.push("one more");
  else members.operationId = "short";
}
