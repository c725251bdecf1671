import { AshlarError } from "../errors/index.ts";
import { encodeHex } from "../hash/index.ts";
import {
  type CallOptions,
  type ChunkRef,
  type MetadataStore,
  type ObjectInfo,
  systemClock,
  type WriteCondition,
  type WriteOptions,
} from "../ports/index.ts";
import type { BrokenMetadataStore, MetadataStoreSubject } from "./metadata-store/contract-case.ts";
import { endRepairs } from "./metadata-store/fixtures.ts";
import { LOCATION_FAULTS } from "./metadata-store/location-faults.ts";
import { WORK_FAULTS } from "./metadata-store/work-faults.ts";

export type { BrokenMetadataStore };

/** Adds a fault to a subject without faults, whose store must be persistent and shared. */
export function breakMetadataStore(sound: MetadataStoreSubject, broken: BrokenMetadataStore): MetadataStoreSubject {
  const overlay = (store: MetadataStore): MetadataStore => ({ ...store, ...broken.override(store) });
  let store = overlay(sound.store);
  return {
    get store() {
      return store;
    },
    async reopen() {
      await broken.beforeReopen?.(sound.store);
      store = overlay(await sound.reopen());
      return store;
    },
    second: async () => overlay(await sound.second()),
    dispose: () => sound.dispose(),
  };
}

const KEY_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "treats keys that differ only in case as the same key",
    caughtBy: "every adversarial key is a key of its own, and all are listed in the order of their bytes",
    override: (sound) => ({
      commitObject: (commit, options) => sound.commitObject({ ...commit, key: commit.key.toLowerCase() }, options),
      getObject: (query, options) => sound.getObject({ ...query, key: query.key.toLowerCase() }, options),
    }),
  },
  {
    fault: "ends keys at a NUL",
    caughtBy: "every adversarial key is a key of its own, and all are listed in the order of their bytes",
    override: (sound) => {
      const cut = (key: string): string => key.replace(/(.)\0.*$/s, "$1");
      return {
        commitObject: (commit, options) => sound.commitObject({ ...commit, key: cut(commit.key) }, options),
        getObject: (query, options) => sound.getObject({ ...query, key: cut(query.key) }, options),
      };
    },
  },
  {
    fault: "answers reads from a cache that writes do not touch",
    caughtBy: "an overwrite is a new version, and the old one is gone",
    override: (sound) => {
      const cache = new Map<string, ReturnType<MetadataStore["getObject"]>>();
      return {
        commitObject: async (commit, options) => {
          const info = await sound.commitObject(commit, options);
          const { bucket, key } = commit;
          if (!cache.has(key)) cache.set(key, sound.getObject({ bucket, key }));
          return info;
        },
        getObject: (query, options) =>
          query.objectVersion === undefined
            ? (cache.get(query.key) ?? sound.getObject(query, options))
            : sound.getObject(query, options),
      };
    },
  },
  {
    fault: "keeps the caller's buffer instead of its bytes",
    caughtBy: "the store keeps its own copy of inline bytes: later changes of the caller's buffers change nothing",
    override: (sound) => {
      const kept = new Map<string, Uint8Array>();
      return {
        commitObject: (commit, options) => {
          if ("inline" in commit.content) kept.set(commit.key, commit.content.inline);
          return sound.commitObject(commit, options);
        },
        getObject: async (query, options) => {
          const stored = await sound.getObject(query, options);
          const inline = kept.get(query.key);
          return stored === undefined || inline === undefined ? stored : { ...stored, inline };
        },
      };
    },
  },
];

const CONDITION_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "ignores conditions",
    caughtBy: 'ifNoneMatch "*" creates and never overwrites',
    override: (sound) => ({
      commitObject: (commit, options) => sound.commitObject({ ...commit, condition: undefined }, options),
    }),
  },
  {
    fault: "checks the condition, and writes a moment later",
    caughtBy: 'of 50 writers of one key with ifNoneMatch "*" exactly one wins',
    override: (sound) => ({
      commitObject: async (commit, options) => {
        const { bucket, key, condition } = commit;
        const current = await sound.getObject({ bucket, key });
        if (condition?.ifNoneMatch === "*" && current !== undefined) {
          throw new AshlarError("PRECONDITION_FAILED", "there is one");
        }
        await systemClock.sleep(1);
        return await sound.commitObject({ ...commit, condition: undefined }, options);
      },
    }),
  },
  {
    fault: "knows single etags only, and ignores lists and dates",
    caughtBy: "every kind of write checks lists of etags and dates against the current version",
    override: (sound) => ({
      commitObject: (commit, options) => {
        const { ifMatch, ifNoneMatch } = commit.condition ?? {};
        return sound.commitObject({ ...commit, condition: { ifMatch, ifNoneMatch } as WriteCondition }, options);
      },
    }),
  },
  {
    fault: "replaces a list by one etag, so that the next try is another request",
    caughtBy:
      "a write with a list or a date that is tried again returns its first result, even if the current version has changed",
    override: (sound) => ({
      commitObject: async (commit, options) => {
        const { bucket, key, condition } = commit;
        const isList = condition !== undefined && "ifMatchAny" in condition && condition.ifMatchAny !== undefined;
        if (!isList) return await sound.commitObject(commit, options);
        const etag = (await sound.getObject({ bucket, key }))?.info.etag ?? "none";
        if (!condition.ifMatchAny.includes(etag)) throw new AshlarError("PRECONDITION_FAILED", "none of these");
        return await sound.commitObject({ ...commit, condition: { ifMatch: etag } }, options);
      },
    }),
  },
  {
    fault: "always says that there was something to delete",
    caughtBy: "of 50 deleters of one version exactly one deletes",
    override: (sound) => ({
      deleteObject: async (query, options) => {
        await sound.deleteObject(query, options);
        return true;
      },
    }),
  },
  {
    fault: "acknowledges a commit before it has happened",
    caughtBy: "a second store on the same data sees every answered write at once, and the other way round",
    override: (sound) => ({
      commitObject: async (commit, options) => {
        const late = systemClock.sleep(20).then(() => sound.commitObject(commit, options));
        late.catch(() => {});
        if (commit.key !== "k") return await late;
        const { bucket, key, sizeBytes, etag, durability, attributes } = commit;
        return { bucket, key, sizeBytes, etag, durability, attributes, objectVersion: "v", createdAtMs: 0 };
      },
    }),
  },
];

const LIST_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "ignores a slash at the end of a prefix",
    caughtBy: "a prefix is a prefix of bytes, not of folders, and nothing else comes with it",
    override: (sound) => ({
      listObjects: (query, options) =>
        sound.listObjects({ ...query, prefix: query.prefix?.replace(/\/$/, "") }, options),
    }),
  },
  {
    fault: "lists in the order of UTF-16",
    caughtBy: "every adversarial key is a key of its own, and all are listed in the order of their bytes",
    override: (sound) => ({
      listObjects: async (query, options) => {
        const page = await sound.listObjects(query, options);
        return { ...page, objects: page.objects.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
      },
    }),
  },
  {
    fault: "leaves out the last entry of a page",
    caughtBy: "pages of every size give every entry once: keys, common prefixes, and both at the border",
    override: (sound) => ({
      listObjects: async (query, options) => {
        const page = await sound.listObjects(query, options);
        return page.nextCursor === undefined || page.objects.length < 2
          ? page
          : { ...page, objects: page.objects.slice(0, -1) };
      },
    }),
  },
  {
    fault: "shows a common prefix again on the next page",
    caughtBy: "pages of every size give every entry once: keys, common prefixes, and both at the border",
    override: (sound) => {
      let last: string | undefined;
      return {
        listObjects: async (query, options) => {
          const page = await sound.listObjects(query, options);
          const again = query.cursor === undefined || last === undefined ? [] : [last];
          last = page.prefixes.at(-1);
          return { ...page, prefixes: [...again, ...page.prefixes] };
        },
      };
    },
  },
  {
    fault: "gives a cursor on the last page",
    caughtBy: "a page that just fits has no cursor, one more entry gives one",
    override: (sound) => ({
      listObjects: async (query, options) => {
        const page = await sound.listObjects(query, options);
        const full = page.objects.length + page.prefixes.length === query.limit;
        return full ? { ...page, nextCursor: page.nextCursor ?? "AXpw" } : page;
      },
    }),
  },
  {
    fault: "starts over on a cursor that it does not know",
    caughtBy: "a malformed cursor and bad limits are refused",
    override: (sound) => ({
      listObjects: (query, options) =>
        sound.listObjects(query, options).catch((error: unknown) => {
          if (query.cursor === undefined) throw error;
          return sound.listObjects({ ...query, cursor: undefined }, options);
        }),
    }),
  },
];

const MANIFEST_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "begins a page behind the chunk that contains the offset",
    caughtBy: "a page begins with the chunk that contains the offset, at every border",
    override: (sound) => ({
      getObject: async (query, options) => {
        const stored = await sound.getObject(query, options);
        const [first, ...rest] = stored?.page?.chunks ?? [];
        if (stored?.page === undefined || first === undefined || first.offset >= (query.fromOffset ?? 0)) return stored;
        return { ...stored, page: { ...stored.page, chunks: rest } };
      },
    }),
  },
  {
    fault: "completes an upload with all parts that it has",
    caughtBy: "completing with missing, differing, unordered or no parts is refused and leaves the upload as it was",
    override: (sound) => ({
      completeUpload: async (complete, options) => {
        const { parts } = await sound.listParts({ uploadId: complete.uploadId });
        return await sound.completeUpload({ ...complete, parts }, options);
      },
    }),
  },
  {
    fault: "gives a completed upload the time of its first part",
    caughtBy:
      "times of one key never go back: what stays of puts, copies and completed uploads at once is not older than any of them",
    override: (sound) => ({
      completeUpload: async (complete, options) => {
        const info = await sound.completeUpload(complete, options);
        return { ...info, createdAtMs: info.createdAtMs - 60_000 };
      },
    }),
  },
  {
    fault: "keeps the first part of a number",
    caughtBy: "a part of the same number replaces the earlier one; chunks of replaced and unchosen parts are released",
    override: (sound) => ({
      putPart: async (part, options) => {
        const { parts } = await sound.listParts({ uploadId: part.uploadId });
        return parts.find(({ partNumber }) => partNumber === part.partNumber) ?? (await sound.putPart(part, options));
      },
    }),
  },
];

const COLLECTION_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "never releases a chunk",
    caughtBy: "a chunk becomes collectable when the last object that names it is dropped, not before",
    override: (sound) => ({
      commitObject: async (commit, options) => {
        const info = await sound.commitObject(commit, options);
        if ("inline" in commit.content) return info;
        await sound.createBucket("shadow-bucket").catch(() => {});
        await sound.commitObject({ ...commit, bucket: "shadow-bucket", key: info.objectVersion });
        return info;
      },
    }),
  },
  {
    fault: "forgets that a second object names a chunk",
    caughtBy: "a chunk becomes collectable when the last object that names it is dropped, not before",
    override: (sound) => {
      const released: ChunkRef[] = [];
      return {
        deleteObject: async (query, options) => {
          const stored = await sound.getObject(query);
          released.push(...(stored?.page?.chunks ?? []));
          return await sound.deleteObject(query, options);
        },
        markCollecting: async (query, options) => {
          const marked = await sound.markCollecting(query, options);
          return [...marked, ...released.map(({ chunkId, sizeBytes }) => ({ chunkId, sizeBytes, layoutVersion: 0 }))];
        },
      };
    },
  },
  {
    fault: "does not wait for the grace period",
    caughtBy: "dropping and marking wait for the grace period",
    override: (sound) => ({
      dropReleasedManifests: (query, options) => sound.dropReleasedManifests({ ...query, graceMs: 0 }, options),
    }),
  },
  {
    fault: "drops without bounds",
    caughtBy: "dropping and marking are bounded by their limits",
    override: (sound) => ({
      dropReleasedManifests: (query, options) => sound.dropReleasedManifests({ ...query, limit: 1000 }, options),
    }),
  },
  {
    fault: "trusts the layout of a chunk that the collector asked stores to delete",
    caughtBy:
      "a chunk without references has the layout of the next commit, also an older one: the collector may have taken its copies",
    override: (sound) => {
      const marked = new Map<string, number>();
      return {
        markCollecting: async (query, options) => {
          const chunks = await sound.markCollecting(query, options);
          for (const { chunkId, layoutVersion } of chunks) marked.set(encodeHex(chunkId), layoutVersion);
          return chunks;
        },
        commitObject: async (commit, options) => {
          if ("inline" in commit.content) return await sound.commitObject(commit, options);
          const chunks = commit.content.chunks.map((chunk) => {
            const layoutVersion = Math.max(chunk.layoutVersion ?? 0, marked.get(encodeHex(chunk.chunkId)) ?? 0);
            return { ...chunk, layoutVersion };
          });
          return await sound.commitObject({ ...commit, content: { chunks } }, options);
        },
      };
    },
  },
  {
    fault: "says that a row is gone although a commit has taken it back",
    caughtBy: "a commit takes a chunk back from the collector, and the row stays",
    override: (sound) => ({
      finishCollecting: async (outcomes, options) => {
        await sound.finishCollecting(outcomes, options);
        return outcomes.filter(({ removed }) => removed).map(({ chunkId }) => chunkId);
      },
    }),
  },
  {
    fault: "queues every copy for repair that a reader names, wherever it belongs",
    caughtBy: "a copy that a reader missed is queued once, if an object names the chunk and a given layout placed it",
    override: (sound) => ({
      queueRepairs: (copies, options) =>
        sound.queueRepairs(
          copies.map((copy) => ({ ...copy, layoutVersions: Array.from({ length: 10 }, (_, version) => version) })),
          options,
        ),
    }),
  },
  {
    fault: "lists the same repairs on every page",
    caughtBy: "repairs are listed page by page: those at the front do not hide those behind them",
    override: (sound) => ({
      listRepairs: ({ limit }, options) => sound.listRepairs({ limit }, options),
    }),
  },
  {
    fault: "lets a node take the id of another node that is up",
    caughtBy: "a node id that is up under one URL is refused for another URL, until that node has stopped",
    override: (sound) => ({
      registerNode: async (registration, options) => {
        await sound.stopNode(registration.nodeId).catch(() => {});
        return await sound.registerNode(registration, options);
      },
    }),
  },
  {
    fault: "compares counts of chunks only, and not folders",
    caughtBy: "an emptied folder, a new folder and the folder of another time are told apart",
    override: (sound) => ({
      registerNode: (registration, options) => sound.registerNode({ ...registration, folderId: undefined }, options),
    }),
  },
  {
    fault: "registers a node that asks to be refused after a loss",
    caughtBy: "a node that refuses to start after a loss is not registered, and nothing is changed",
    override: (sound) => ({
      registerNode: (registration, options) => sound.registerNode({ ...registration, refuseLostDisk: false }, options),
    }),
  },
  {
    fault: "takes heartbeats, and forgets the damaged copies that they tell",
    caughtBy:
      "a heartbeat that tells damaged copies queues those that belong on the node and that an object names, each once",
    override: (sound) => ({
      heartbeat: ({ damagedChunkIds: _forgotten, ...beat }, options) => sound.heartbeat(beat, options),
    }),
  },
  {
    fault: "queues only what the first step over the chunk rows meets",
    caughtBy: "every chunk that belongs on a lost disk is queued for repair, in bounded steps, and nothing else",
    override: (sound) => {
      let steps = 0;
      return {
        queueLostCopies: async (query, options) => {
          const before = await sound.listRepairs({ limit: 100 });
          const step = await sound.queueLostCopies(query, options);
          const known = new Set(before.map(({ repairId }) => repairId));
          const added = (await sound.listRepairs({ limit: 100 })).filter(({ repairId }) => !known.has(repairId));
          if (steps++ > 0)
            await endRepairs(
              sound,
              added.map(({ repairId }) => repairId),
            );
          return step;
        },
      };
    },
  },
  {
    fault: "forgets a lost disk when the walk is done, before the copies are back",
    caughtBy: "every chunk that belongs on a lost disk is queued for repair, in bounded steps, and nothing else",
    override: (sound) => ({
      clusterSnapshot: async (options) => {
        const snapshot = await sound.clusterSnapshot(options);
        const nodes = snapshot.nodes.map((node) => (node.lostDisk?.isQueued ? { ...node, lostDisk: undefined } : node));
        return { ...snapshot, nodes };
      },
    }),
  },
  {
    fault: "counts copies on nodes that are away as if they could be read",
    caughtBy:
      "chunks are counted by their copies: what is queued for repair, lost or on a node that is away is not there",
    override: (sound) => ({
      countCopies: async (query, options) => {
        const page = await sound.countCopies(query, options);
        return { ...page, reachable: page.held };
      },
    }),
  },
  {
    fault: "counts the copies that wait for repair",
    caughtBy:
      "chunks are counted by their copies: what is queued for repair, lost or on a node that is away is not there",
    override: (sound) => ({
      copiesOf: async (chunkIds, options) =>
        (await sound.copiesOf(chunkIds, options)).map(
          (copies) => copies && { ...copies, held: copies.wanted, reachable: copies.wanted },
        ),
    }),
  },
  {
    fault: "begins every page of repairs with the first entry",
    caughtBy: "repairs are listed by node, page after page, and counted by node",
    override: (sound) => ({
      listRepairs: ({ limit, nodeId }, options) => sound.listRepairs({ limit, nodeId }, options),
    }),
  },
  {
    fault: "takes the newest placement format with every change of the layout",
    caughtBy: "a layout keeps its placement format until an operator changes it",
    override: (sound) => ({
      changeLayout: (change, options) => sound.changeLayout({ placementFormat: 2, ...change }, options),
    }),
  },
  {
    fault: "makes a new layout whenever a node registers",
    caughtBy: "a node that registers again updates its row and changes no layout",
    override: (sound) => ({
      registerNode: async (registration, options) => {
        const result = await sound.registerNode(registration, options);
        const { layouts } = await sound.clusterSnapshot();
        if (layouts[0]?.nodes.length !== 1) return result;
        return await sound.changeLayout({ replicationFactor: 3 });
      },
    }),
  },
];

const withoutSignal = (_options: CallOptions | undefined): CallOptions => ({});

const unnamed = (options: WriteOptions | undefined): CallOptions => ({ signal: options?.signal });

/** Remembers results of commits by their operation id outside of the store, which does not see the ids. */
function rememberingBeside(sound: MetadataStore): MetadataStore["commitObject"] {
  const results = new Map<string, ObjectInfo>();
  return async (commit, options) => {
    const name = `${options?.credential} ${options?.operationId} ${JSON.stringify(commit)}`;
    const known = options?.operationId === undefined ? undefined : results.get(name);
    if (known !== undefined) return known;
    const info = await sound.commitObject(commit, unnamed(options));
    results.set(name, info);
    return info;
  };
}

const OPERATION_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "forgets the operation id",
    caughtBy: "a write that is tried again changes nothing that others have done since",
    override: (sound) => ({
      deleteObject: (query, options) => sound.deleteObject(query, unnamed(options)),
    }),
  },
  {
    fault: "keeps results outside of the transaction, so that a second try can come between",
    caughtBy: "of 20 tries of one write at once, one happens, and all get its result",
    override: (sound) => ({ commitObject: rememberingBeside(sound) }),
  },
  {
    fault: "keeps results outside of the data, so that they end with the process",
    caughtBy: "results of writes with an operation id are kept with the data",
    override: (sound) => ({ commitObject: rememberingBeside(sound) }),
  },
  {
    fault: "ignores the credential of an operation id",
    caughtBy: "the same operation id under another credential is another call",
    override: (sound) => ({
      commitObject: (commit, options) => sound.commitObject(commit, { ...options, credential: "" }),
    }),
  },
  {
    fault: "answers another request with the result of the earlier request with its id",
    caughtBy: "an operation id is valid for one request only",
    override: (sound) => {
      const results = new Map<string, ObjectInfo>();
      return {
        commitObject: async (commit, options) => {
          const known = results.get(options?.operationId ?? "");
          if (known !== undefined) return known;
          const info = await sound.commitObject(commit, options);
          if (options?.operationId !== undefined) results.set(options.operationId, info);
          return info;
        },
      };
    },
  },
  {
    fault: "remembers refusals",
    caughtBy: "a write that was refused leaves nothing: the next try under its id is decided anew",
    override: (sound) => {
      const refused = new Map<string, unknown>();
      return {
        commitObject: async (commit, options) => {
          const operationId = options?.operationId ?? "";
          if (refused.has(operationId)) throw refused.get(operationId);
          return await sound.commitObject(commit, options).catch((error: unknown) => {
            if (operationId !== "") refused.set(operationId, error);
            throw error;
          });
        },
      };
    },
  },
];

const LIFECYCLE_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "ignores an abort before the call",
    caughtBy: "every method refuses a signal that is aborted already, and does nothing",
    override: (sound) => ({
      commitObject: (commit, options) => sound.commitObject(commit, withoutSignal(options)),
    }),
  },
  {
    fault: "ignores an abort during the call",
    caughtBy: "an abort during a call rejects at once, and the store goes on working",
    override: (sound) => ({
      commitObject: (commit, options) =>
        options?.signal?.aborted
          ? sound.commitObject(commit, options)
          : sound.commitObject(commit, withoutSignal(options)),
    }),
  },
  {
    fault: "forgets the scope of an API key",
    caughtBy: "API keys keep their scope and their end, with any characters in the prefix",
    override: (sound) => ({
      findApiKey: async (keyId, options) => {
        const { scope: _scope, ...record } = (await sound.findApiKey(keyId, options)) ?? {};
        return "keyId" in record ? (record as Awaited<ReturnType<MetadataStore["findApiKey"]>>) : undefined;
      },
    }),
  },
  {
    fault: "forgets that a token was revoked when the next one is revoked",
    caughtBy: "a token that was revoked stays revoked until it ends, and then is forgotten",
    override: (sound) => {
      let last = "";
      return {
        async revokeToken(revocation, options) {
          await sound.revokeToken(revocation, options);
          last = revocation.tokenId;
        },
        isTokenRevoked: async (tokenId, options) => tokenId === last && (await sound.isTokenRevoked(tokenId, options)),
      };
    },
  },
  {
    fault: "carries out an aborted call, and refuses afterwards",
    caughtBy: "every method refuses a signal that is aborted already, and does nothing",
    override: (sound) => ({
      createApiKey: async (record, options) => {
        if (options?.signal?.aborted) await sound.createApiKey({ ...record, keyId: "other" }).catch(() => {});
        return await sound.createApiKey(record, options);
      },
    }),
  },
  {
    fault: "can be used after close",
    caughtBy: "close is idempotent, and every method refuses afterwards",
    override: () => ({ close: async () => {} }),
  },
  {
    fault: "leaves a listener on the signal",
    caughtBy: "a signal that is never aborted keeps no listener",
    override: (sound) => ({
      listObjects: (query, options) => {
        options?.signal?.addEventListener("abort", () => {});
        return sound.listObjects(query, options);
      },
    }),
  },
  {
    fault: "loses an object when it is reopened",
    caughtBy: "everything survives reopening",
    override: () => ({}),
    beforeReopen: async (sound) => {
      await sound.deleteObject({ bucket: "case-bucket", key: "chunked" });
    },
  },
  {
    fault: "loses the references of open uploads when it is reopened",
    caughtBy: "everything survives reopening",
    override: () => ({}),
    beforeReopen: async (sound) => {
      await sound.abortStaleUploads({ olderThanMs: 0, limit: 100 });
    },
  },
];

/** One store per fault. */
export const BROKEN_METADATA_STORES: readonly BrokenMetadataStore[] = Object.freeze([
  ...KEY_FAULTS,
  ...CONDITION_FAULTS,
  ...LIST_FAULTS,
  ...MANIFEST_FAULTS,
  ...OPERATION_FAULTS,
  ...COLLECTION_FAULTS,
  ...WORK_FAULTS,
  ...LOCATION_FAULTS,
  ...LIFECYCLE_FAULTS,
]);
