import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { defineBrowserConformance } from "./browser-subjects.ts";

defineBrowserConformance(grpcWebTransport, "transport");
