import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("grpc-js", "transport");
