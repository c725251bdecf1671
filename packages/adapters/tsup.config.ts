import { defineConfig } from "tsup";
import { packageOptions } from "../../tsup.base.ts";

// The SQLite worker is started by its path, so it needs a file of its own.
export default defineConfig({ ...packageOptions(["./src/metadata-store/sqlite/worker.ts"]), platform: "node" });
