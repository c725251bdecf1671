import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("undici", "full", { metadata: "postgres" });
