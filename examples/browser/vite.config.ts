import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  resolve: {
    // Within this repository the packages are taken from their sources, so that nothing has to be built first. An app needs no such line.
    conditions: ["ashlar-source", ...defaultClientConditions],
  },
  optimizeDeps: {
    // The page loads a transport when it is chosen. Found only then, its libraries would make the development server reload the page.
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
