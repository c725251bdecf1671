import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("grpc-web", "transport");
