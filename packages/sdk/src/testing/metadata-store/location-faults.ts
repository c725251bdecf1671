import type { BrokenMetadataStore } from "./contract-case.ts";

/** Faults in where chunks are said to lie, and which nodes may hold them. */
export const LOCATION_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "ends the walk over outdated chunks with the first page",
    caughtBy:
      "chunks of older layouts are found page by page, in the order of their ids, and those of the newest are not",
    override: (sound) => ({
      listOutdatedChunks: async (query, options) => ({
        chunks: (await sound.listOutdatedChunks(query, options)).chunks,
      }),
    }),
  },
  {
    fault: "moves a row that a commit has moved meanwhile",
    caughtBy: "a row that names another layout than was seen stays: a commit has moved it meanwhile",
    override: (sound) => ({
      advanceLayouts: async ({ layoutVersion, chunks }, options) => {
        const versions = [...Array(layoutVersion - 1).keys()].map((index) => index + 1);
        const all = versions.flatMap((version) => chunks.map(({ chunkId }) => ({ chunkId, layoutVersion: version })));
        return await sound.advanceLayouts({ layoutVersion, chunks: all }, options);
      },
    }),
  },
  {
    fault: "moves chunks that something names as if nothing did",
    caughtBy:
      "a chunk that a commit names again stays where that commit placed it, also under the layout that was seen",
    override: (sound) => ({
      advanceLayouts: async ({ layoutVersion, chunks }, options) => {
        const either = chunks.map(({ isNamed: _isNamed, ...chunk }) => chunk);
        const moved = await sound.advanceLayouts({ layoutVersion, chunks: either }, options);
        return moved + (await sound.advanceLayouts({ layoutVersion, chunks }, options));
      },
    }),
  },
  {
    fault: "keeps repairs for nodes that the newer layout does not name",
    caughtBy: "a row that moves keeps what is missing where the newer layout wants it, and drops what it wants no more",
    override: (sound) => ({
      advanceLayouts: async (advance, options) => {
        const before = await sound.listRepairs({ limit: 1000 });
        const moved = await sound.advanceLayouts(advance, options);
        const after = new Set((await sound.listRepairs({ limit: 1000 })).map(({ repairId }) => repairId));
        const dropped = before.filter(({ repairId }) => !after.has(repairId));
        await sound.queueRepairs(
          dropped.map(({ chunkId, nodeId }) => ({ chunkId, nodeId, layoutVersions: [advance.layoutVersion] })),
        );
        return moved;
      },
    }),
  },
  {
    fault: "takes a node that is away out of the layout for good",
    caughtBy: "a node that is away is left out of the layout, and joins again with its weight when it registers",
    override: (sound) => ({
      leaveOutNode: async ({ nodeId }, options) => await sound.changeLayout({ removeNodeIds: [nodeId] }, options),
    }),
  },
  {
    fault: "leaves nodes out however few are up",
    caughtBy: "no node is left out if the others are too few for all copies, or no majority",
    override: (sound) => ({
      leaveOutNode: async ({ nodeId }, options) => {
        const up = (await sound.clusterSnapshot()).nodes.find((node) => node.nodeId === nodeId)?.state === "up";
        return up ? undefined : await sound.changeLayout({ removeNodeIds: [nodeId] }, options);
      },
    }),
  },
  {
    fault: "says of a chunk that lacks a copy that all are there",
    caughtBy: "a row that moves keeps what is missing where the newer layout wants it, and drops what it wants no more",
    override: (sound) => ({
      settledLayouts: async (chunkIds, options) => {
        const newest = (await sound.clusterSnapshot()).layouts[0]?.layoutVersion;
        return (await sound.settledLayouts(chunkIds, options)).map((version) => version ?? newest);
      },
    }),
  },
  {
    fault: "forgets nodes that an older layout needs",
    caughtBy:
      "a node that is up, in the layout, unknown, or needed by an older layout is not forgotten, and nothing is changed",
    override: (sound) => ({
      changeLayout: async (change, options) => await sound.changeLayout({ ...change, acceptLoss: true }, options),
    }),
  },
  {
    fault: "makes a new layout when it forgets a node",
    caughtBy:
      "a node that no layout needs is forgotten without a new layout, and joins as a new node when it registers again",
    override: (sound) => ({
      async changeLayout(change, options) {
        const layout = await sound.changeLayout(change, options);
        if (change.forgetNodeIds === undefined) return layout;
        const factor = layout.replicationFactor;
        await sound.changeLayout({ replicationFactor: factor + 1 });
        return await sound.changeLayout({ replicationFactor: factor });
      },
    }),
  },
  {
    fault: "takes the copies of a node that was given up for good when it comes back",
    caughtBy: "a node whose copies were given up comes back as one that lost its disk, whatever its folder holds",
    override: (sound) => ({
      async registerNode(registration, options) {
        const { lostDisk: _lostDisk, ...answer } = await sound.registerNode(registration, options);
        return answer;
      },
    }),
  },
];
