import { expect } from "vitest";
import type { MetadataStore } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";
import { ADVERSARIAL_KEYS, BUCKET, byBytes, inlineCommit, keysOf, listAll, withBucket } from "./fixtures.ts";

async function commitAll(store: MetadataStore, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => store.commitObject(inlineCommit(key))));
}

/** What a listing must show, computed in the simplest way. */
function expected(keys: readonly string[], prefix: string, delimiter: string): { keys: string[]; prefixes: string[] } {
  const plain: string[] = [];
  const prefixes = new Set<string>();
  for (const key of keys.filter((one) => one.startsWith(prefix))) {
    const position = key.indexOf(delimiter, prefix.length);
    if (position < 0) plain.push(key);
    else prefixes.add(key.slice(0, position + delimiter.length));
  }
  return { keys: plain.sort(byBytes), prefixes: [...prefixes].sort(byBytes) };
}

const TREE = [
  "a",
  "a/1",
  "a/2",
  "a/b/1",
  "a/b/2",
  "ab",
  "b/1",
  "b//2",
  "c",
  "d/x/y/z",
  "é/1",
  "é/2",
  "\u{10000}/1",
  "a-",
  "a.",
];

export const LIST_CASES: readonly MetadataStoreCase[] = [
  {
    name: "an empty bucket lists nothing",
    async run({ store }) {
      await withBucket(store);
      expect(await store.listObjects({ bucket: BUCKET })).toEqual({ objects: [], prefixes: [] });
      expect(await store.listObjects({ bucket: BUCKET, prefix: "a", delimiter: "/" })).toEqual({
        objects: [],
        prefixes: [],
      });
    },
  },
  {
    name: "entries carry version, size, etag, digest and time of the object",
    async run({ store }) {
      await withBucket(store);
      const info = await store.commitObject(inlineCommit("k", "text"));
      const { objectVersion, sizeBytes, etag, sha256, createdAtMs } = info;
      const page = await store.listObjects({ bucket: BUCKET });
      expect(page).toEqual({
        objects: [{ key: "k", objectVersion, sizeBytes, etag, sha256, createdAtMs }],
        prefixes: [],
      });
    },
  },
  {
    name: "a prefix is a prefix of bytes, not of folders, and nothing else comes with it",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, ADVERSARIAL_KEYS);
      for (const prefix of [
        "a",
        "a/",
        "a/b",
        "ab",
        "/",
        ".",
        "é",
        "e",
        "\0",
        "\u{10ffff}",
        "日",
        "k",
        "zz",
        "%",
        "_",
      ]) {
        const wanted = ADVERSARIAL_KEYS.filter((key) => key.startsWith(prefix)).sort(byBytes);
        expect(await keysOf(store, { prefix }), `prefix ${prefix}`).toEqual(wanted);
      }
    },
  },
  {
    name: "a delimiter rolls keys up to and including its first occurrence after the prefix",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, TREE);
      for (const prefix of ["", "a", "a/", "a/b/", "b/", "d/", "é", "zz"]) {
        const wanted = expected(TREE, prefix, "/");
        const { objects, prefixes } = await listAll(store, { prefix, delimiter: "/" });
        expect({ keys: objects.map(({ key }) => key), prefixes }, `prefix "${prefix}"`).toEqual(wanted);
      }
    },
  },
  {
    name: "any text is a delimiter: longer ones, other planes, NUL, the end of the alphabet",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, ADVERSARIAL_KEYS);
      for (const delimiter of ["/", "//", "b", "\0", "é", "\u{10000}", "\u{10ffff}", "キ", "\u007f", "/b/"]) {
        for (const prefix of ["", "a", "d/"]) {
          const wanted = expected(ADVERSARIAL_KEYS, prefix, delimiter);
          const { objects, prefixes } = await listAll(store, { prefix, delimiter });
          expect({ keys: objects.map(({ key }) => key), prefixes }, `${prefix} by ${delimiter}`).toEqual(wanted);
        }
      }
    },
  },
  {
    name: "pages of every size give every entry once: keys, common prefixes, and both at the border",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, TREE);
      for (let limit = 1; limit <= TREE.length + 1; limit++) {
        expect(await keysOf(store, { limit }), `limit ${limit}`).toEqual([...TREE].sort(byBytes));
        for (const prefix of ["", "a"]) {
          const wanted = expected(TREE, prefix, "/");
          const { objects, prefixes } = await listAll(store, { prefix, delimiter: "/", limit });
          expect({ keys: objects.map(({ key }) => key), prefixes }, `limit ${limit}, prefix "${prefix}"`).toEqual(
            wanted,
          );
        }
      }
    },
  },
  {
    name: "a page that just fits has no cursor, one more entry gives one",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, ["a", "b/1", "b/2", "c"]);
      expect((await store.listObjects({ bucket: BUCKET, limit: 4 })).nextCursor).toBeUndefined();
      expect((await store.listObjects({ bucket: BUCKET, limit: 3 })).nextCursor).toBeDefined();
      const byFolder = { bucket: BUCKET, delimiter: "/" };
      expect((await store.listObjects({ ...byFolder, limit: 3 })).nextCursor).toBeUndefined();
      const page = await store.listObjects({ ...byFolder, limit: 2 });
      expect(page.prefixes).toEqual(["b/"]);
      const next = await store.listObjects({ ...byFolder, limit: 2, cursor: page.nextCursor });
      expect([next.objects.map(({ key }) => key), next.prefixes, next.nextCursor]).toEqual([["c"], [], undefined]);
    },
  },
  {
    name: "startAfter skips all keys up to it, and a cursor has precedence over it",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, TREE);
      const sorted = [...TREE].sort(byBytes);
      for (const startAfter of ["", "\0", "a", "a/1", "a/b", "b/", "zz", "\u{10ffff}"]) {
        expect(await keysOf(store, { startAfter })).toEqual(
          sorted.filter((key) => startAfter === "" || byBytes(key, startAfter) > 0),
        );
      }
      // A common prefix is shown as long as keys after `startAfter` have it.
      expect((await listAll(store, { startAfter: "a/1", delimiter: "/" })).prefixes).toContain("a/");
      expect((await listAll(store, { startAfter: "a/z", delimiter: "/" })).prefixes).not.toContain("a/");
      const page = await store.listObjects({ bucket: BUCKET, limit: 2 });
      const next = await store.listObjects({ bucket: BUCKET, limit: 1, cursor: page.nextCursor, startAfter: "zz" });
      expect(next.objects[0]?.key).toBe(sorted[2]);
    },
  },
  {
    name: "a malformed cursor and bad limits are refused",
    async run({ store }) {
      await withBucket(store);
      await commitAll(store, ["a", "b"]);
      const { nextCursor = "" } = await store.listObjects({ bucket: BUCKET, limit: 1 });
      for (const cursor of ["", "a", "%%%", "äöü", `${nextCursor}=`, `${nextCursor}!`, "\0", "AAAA"]) {
        await expectCode(store.listObjects({ bucket: BUCKET, cursor }), "INVALID_ARGUMENT");
      }
      for (const limit of [0, -1, 1001, 1.5, Number.NaN]) {
        await expectCode(store.listObjects({ bucket: BUCKET, limit }), "INVALID_ARGUMENT");
      }
      await expectCode(store.listObjects({ bucket: BUCKET, delimiter: "" }), "INVALID_ARGUMENT");
      await expectCode(store.listObjects({ bucket: BUCKET, prefix: "\ud800" }), "INVALID_ARGUMENT");
      expect(await keysOf(store)).toEqual(["a", "b"]);
    },
  },
  {
    name: "a thousand keys are one page by default, one more is the next",
    async run({ store }) {
      await withBucket(store);
      await commitAll(
        store,
        Array.from({ length: 1001 }, (_, index) => `k${String(index).padStart(5, "0")}`),
      );
      const page = await store.listObjects({ bucket: BUCKET });
      expect(page.objects).toHaveLength(1000);
      const last = await store.listObjects({ bucket: BUCKET, cursor: page.nextCursor });
      expect(last.objects.map(({ key }) => key)).toEqual(["k01000"]);
      expect(await store.listObjects({ bucket: BUCKET, delimiter: "0" })).toEqual({ objects: [], prefixes: ["k0"] });
    },
  },
  {
    name: "objects that are there all the time are listed exactly once while others write",
    async run({ store }) {
      await withBucket(store);
      const steady = Array.from({ length: 60 }, (_, index) => `s/${String(index).padStart(3, "0")}`);
      await commitAll(store, steady);
      let done = false;
      const writing = (async () => {
        for (let round = 0; !done; round++) {
          const key = `s/${String((round * 7) % 60).padStart(3, "0")}x`;
          await store.commitObject(inlineCommit(key));
          await store.deleteObject({ bucket: BUCKET, key });
        }
      })();
      for (let round = 0; round < 5; round++) {
        const keys = await keysOf(store, { prefix: "s/", limit: 7 });
        expect(keys.filter((key) => !key.endsWith("x"))).toEqual(steady);
      }
      done = true;
      await writing;
    },
  },
];
