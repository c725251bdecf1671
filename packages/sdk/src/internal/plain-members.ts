/**
 * The members of a plain object, in a new object. `undefined` for a value that has more than its own enumerable members: an instance of a class, an
 * object that inherits members (`Object.create({ a: "b" })`), a Map, or an object with symbols or non-enumerable members. A copy or JSON of such a
 * value would silently lose data.
 *
 * Objects of another realm, objects without a prototype, and Proxies that list their members are plain. A Proxy that lists none is not plain,
 * because it may still answer to every name.
 */
export function plainMembers(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    const parent = Object.getPrototypeOf(value) as object | null;
    // Every realm has its own Object.prototype.
    if (parent && (Object.getPrototypeOf(parent) || !("isPrototypeOf" in parent))) return undefined;
    const members = { ...value };
    const count = Reflect.ownKeys(value).length;
    if (count !== Object.keys(members).length) return undefined;
    // structuredClone fails for every Proxy (HTML, StructuredSerialize).
    if (count === 0) structuredClone(value);
    return members;
  } catch {
    return undefined; // a getter, or a Proxy, that throws
  }
}
