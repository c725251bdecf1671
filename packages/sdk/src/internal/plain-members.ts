/**
 * The members of a plain object, in a new one; `undefined` for anything of which they are not all there is: an instance of a class, what it inherits
 * (`Object.create({ a: "b" })`), a Map, members that no loop finds (symbols, non-enumerable ones). To copy those, or to write them as JSON, would
 * drop what their owner sees in them, without a word.
 *
 * Of another realm, without a prototype and a Proxy that lists its members is as plain as any; a Proxy that lists none may still answer to every name.
 */
export function plainMembers(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    const parent = Object.getPrototypeOf(value) as object | null;
    // Every realm has an Object.prototype of its own.
    if (parent && (Object.getPrototypeOf(parent) || !("isPrototypeOf" in parent))) return undefined;
    const members = { ...value };
    const count = Reflect.ownKeys(value).length;
    if (count !== Object.keys(members).length) return undefined;
    // To clone is the one thing that no Proxy pretends to do (HTML, StructuredSerialize).
    if (count === 0) structuredClone(value);
    return members;
  } catch {
    return undefined; // a getter, or a Proxy, that throws
  }
}
