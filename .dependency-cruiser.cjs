/** Who may import whom. The rules and their reasons stand in ARCHITECTURE.md and CONTRIBUTING.md. */

const SDK = "^packages/sdk/src/";
const ADAPTERS = "^packages/adapters/src/";
const SERVER = "^packages/server/src/";
const TEST_FILES = "\\.(test|test-d)\\.ts$";

/** One layer of the SDK and the layers it may reach; everything else of ours is forbidden to it. */
/** What every layer may know: the limits, their values, and the units of bytes. */
const LIMITS = ["limits.ts", "limit-values.ts", "byte-units.ts"];

function sdkLayer(name, allowed) {
  const reachable = [name, ...allowed].map((layer) =>
    layer.endsWith(".ts") ? layer.replace(".", "\\.") : `${layer}/`,
  );
  return {
    name: `sdk-${name}`,
    comment: `sdk/${name} may import ${allowed.length > 0 ? allowed.join(", ") : "nothing of ours"}`,
    severity: "error",
    from: { path: `${SDK}${name}/`, pathNot: TEST_FILES },
    to: { path: "^packages/", pathNot: `${SDK}(${reachable.join("|")})` },
  };
}

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: { pathNot: "/gen/" }, to: { circular: true } },
    {
      name: "not-to-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "not-to-test",
      comment: "tests are nobody's dependency",
      severity: "error",
      from: { pathNot: "^tests/" },
      to: { path: TEST_FILES },
    },

    sdkLayer("errors", [...LIMITS, "internal"]),
    sdkLayer("internal", ["errors", ...LIMITS]),
    sdkLayer("hash", ["errors", ...LIMITS, "internal"]),
    sdkLayer("ring", ["errors", ...LIMITS, "internal", "hash", "ports"]),
    sdkLayer("chunking", ["errors", ...LIMITS, "internal", "ports"]),
    sdkLayer("manifest", ["errors", ...LIMITS, "internal", "hash", "chunking"]),
    sdkLayer("ports", ["errors", ...LIMITS, "internal", "hash", "manifest", "ring", "chunking"]),
    sdkLayer("engine", ["errors", ...LIMITS, "internal", "hash", "manifest", "ring", "chunking", "ports"]),
    sdkLayer("rpc", ["gen", "errors", ...LIMITS, "internal", "hash", "manifest", "ring", "ports"]),
    sdkLayer("transport", ["rpc", "errors", ...LIMITS, "internal", "hash", "manifest", "ring", "ports"]),
    sdkLayer("tracing", ["hash", "ports", "client"]),
    {
      name: "sdk-gen-only-through-rpc",
      severity: "error",
      from: { path: "^(packages|tests|bench|examples)/", pathNot: `${SDK}(rpc|gen)/` },
      to: { path: `${SDK}gen/` },
    },
    {
      name: "sdk-no-other-package",
      comment: "the SDK stands alone",
      severity: "error",
      from: { path: SDK },
      to: { path: "^packages/(adapters|server)/" },
    },
    {
      name: "sdk-no-node",
      comment: "the SDK runs in browsers",
      severity: "error",
      from: { path: SDK, pathNot: [TEST_FILES, `${SDK}testing/`] },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "sdk-few-third-parties",
      severity: "error",
      from: { path: SDK, pathNot: [TEST_FILES, `${SDK}testing/`] },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"],
        pathNot: "node_modules/(@bufbuild/protobuf|@connectrpc/(connect|connect-web)|@noble/hashes)/",
      },
    },

    {
      name: "adapters-no-server",
      severity: "error",
      from: { path: ADAPTERS },
      to: { path: SERVER },
    },
    {
      name: "adapters-no-sibling",
      comment:
        "an adapter may use its own folder and the internal ones, not another adapter (embedded and node put parts together)",
      severity: "error",
      // What tests of all adapters share is a test, too.
      from: { path: `${ADAPTERS}([^/]+)/([^/.]+)`, pathNot: [TEST_FILES, `${ADAPTERS}metadata-store/testing/`].flat() },
      to: {
        path: `${ADAPTERS}[^/]+/`,
        pathNot: [`${ADAPTERS}$1/$2[/.]`, `${ADAPTERS}internal/`, `${ADAPTERS}[^/]+/internal/`],
      },
    },

    {
      name: "server-parts-no-adapters",
      comment: "the parts get their stores injected; only the command line, the composition root, picks them",
      severity: "error",
      from: { path: SERVER, pathNot: [`${SERVER}(cli|local-cluster)/`, TEST_FILES] },
      to: { path: ADAPTERS },
    },
    {
      name: "server-local-cluster-no-stores",
      comment: "a cluster on one machine runs PostgreSQL and makes folders; its database and its servers are injected",
      severity: "error",
      from: { path: `${SERVER}local-cluster/`, pathNot: TEST_FILES },
      to: {
        path: "^packages/",
        pathNot: [
          SDK,
          `${SERVER}(local-cluster|files|observability)/`,
          `${SERVER}gateway/index\\.ts$`,
          `${ADAPTERS}(local-postgres\\.ts|chunk-store/fs/index\\.ts)$`,
        ],
      },
    },
    {
      name: "server-local-cluster-only-for-cli",
      comment: "no server knows that it runs in a cluster of processes",
      severity: "error",
      from: { path: SERVER, pathNot: `${SERVER}(cli|local-cluster)/` },
      to: { path: `${SERVER}local-cluster/` },
    },
    {
      name: "server-files-alone",
      comment: "what local files need everywhere: errors, locks, files of the owner's",
      severity: "error",
      from: { path: `${SERVER}files/`, pathNot: TEST_FILES },
      to: { path: "^packages/", pathNot: [`${SERVER}files/`, `${SDK}errors/`] },
    },
    {
      name: "server-node-not-gateway",
      severity: "error",
      from: { path: `${SERVER}node/`, pathNot: TEST_FILES },
      to: { path: `${SERVER}gateway/` },
    },
    {
      name: "server-parts-not-cli",
      severity: "error",
      from: { path: SERVER, pathNot: `${SERVER}cli/` },
      to: { path: `${SERVER}cli/` },
    },
    {
      name: "server-no-node-core",
      comment: "only http/, files/, local-cluster/ and cli/ know Node; async_hooks is a context, not an effect",
      severity: "error",
      from: { path: SERVER, pathNot: [`${SERVER}(http|files|local-cluster|cli)/`, TEST_FILES] },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?async_hooks$" },
    },

    {
      name: "packages-only-through-exports",
      comment: "tests, benchmarks and examples see what users see",
      severity: "error",
      from: { path: "^(tests|bench|examples)/" },
      to: { path: "^packages/", dependencyTypes: ["local"] },
    },
    {
      name: "no-undeclared-dependency",
      severity: "error",
      from: {},
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(dist|coverage)/" },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["ashlar-source", "import", "node", "default", "types"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".d.ts", ".json"],
    },
  },
};
