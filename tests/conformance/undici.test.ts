import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("undici", { metadata: "postgres" });
