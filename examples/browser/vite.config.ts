import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  resolve: {
    // In this repository the packages are read from their sources, so that nothing has to be built first. An app does not need this line.
    conditions: ["ashlar-source", ...defaultClientConditions],
  },
  optimizeDeps: {
    // The page loads a transport when it is chosen. If the development server found its libraries only then, it would reload the page.
    include: [
      "@ashlar/sdk > @bufbuild/protobuf",
      "@ashlar/sdk > @bufbuild/protobuf/codegenv2",
      "@ashlar/sdk > @bufbuild/protobuf/wkt",
      "@ashlar/sdk > @connectrpc/connect",
      "@ashlar/sdk > @connectrpc/connect-web",
      "@ashlar/sdk > @noble/hashes/sha2.js",
    ],
  },
  build: { target: "es2023", sourcemap: true },
});
