import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { plainMembers } from "./plain-members.ts";

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

test.each<[string, unknown]>([
  ["an object", { a: "b" }],
  ["an empty one", {}],
  ["one without a prototype", Object.assign(Object.create(null), { a: "b" })],
  ["an empty one without a prototype", Object.create(null)],
  ["one of another realm", runInNewContext("({ a: 'b' })")],
  ["an empty one of another realm", runInNewContext("({})")],
  [
    "one with a getter of its own",
    {
      get a() {
        return "b";
      },
    },
  ],
  ["a Proxy that lists its members", new Proxy({ a: "b" }, {})],
  [
    "one whose names have a meaning in JavaScript",
    JSON.parse('{"__proto__": "a", "constructor": "b", "toJSON": "c", "isPrototypeOf": "d"}'),
  ],
])("%s is plain", (_, value) => {
  const members = plainMembers(value);
  expect(members).not.toBe(value);
  expect(Object.entries(members as object)).toEqual(Object.entries(value as object));
});

test.each<[string, unknown]>([
  ["nothing", null],
  ["a text", "a"],
  ["a function", () => {}],
  ["an array", ["a"]],
  ["an array of another realm", runInNewContext("['a']")],
  ["a Map", new Map([["a", "b"]])],
  ["a Map of another realm", runInNewContext("new Map([['a', 'b']])")],
  ["Headers", new Headers({ a: "b" })],
  ["URLSearchParams", new URLSearchParams("a=b")],
  ["FormData", new FormData()],
  ["a Date", new Date(0)],
  ["a boxed text", Object("a")],
  [
    "an instance",
    new (class {
      a = "b";
    })(),
  ],
  [
    "an instance with getters",
    new (class {
      get a() {
        return "b";
      }
    })(),
  ],
  ["an object that inherits", Object.create({ a: "b" })],
  ["an object whose parent has no prototype", Object.create(Object.assign(Object.create(null), { a: "b" }))],
  ["one with a symbol", { a: "b", [Symbol("c")]: "d" }],
  ["one with a hidden member", Object.defineProperty({ a: "b" }, "c", { value: "d", enumerable: false })],
  ["Object.prototype", Object.prototype],
  ["a Proxy that lists nothing", new Proxy({}, { get: () => "b" })],
  ["a revoked Proxy", revoked()],
  [
    "one with a getter that throws",
    {
      get a() {
        throw new Error("no");
      },
    },
  ],
])("%s is not", (_, value) => {
  expect(plainMembers(value)).toBeUndefined();
});
