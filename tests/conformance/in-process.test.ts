import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("in-process", "transport");
