import { connectTransport } from "@ashlar/sdk/transport/connect";
import { defineBrowserConformance } from "./browser-subjects.ts";

defineBrowserConformance(connectTransport, "transport");
