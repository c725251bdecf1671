import { httpTransport } from "@ashlar/sdk/transport/http";
import { defineBrowserConformance } from "./browser-subjects.ts";

defineBrowserConformance(httpTransport, "full");
