import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("grpc", { metadata: "sqlite" });
