import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("connect", "transport");
