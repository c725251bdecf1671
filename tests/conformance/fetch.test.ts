import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("fetch", "transport");
