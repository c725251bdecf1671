import { defineRemoteConformance } from "./remote-subjects.ts";

defineRemoteConformance("grpc", "transport", { metadata: "sqlite" });
