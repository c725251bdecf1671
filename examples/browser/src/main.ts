import { openConnections } from "./connections.ts";
import { startPage } from "./page.ts";
import { byId } from "./ui/elements.ts";
import { showError } from "./ui/notices.ts";

try {
  startPage(await openConnections());
} catch (error) {
  byId("where").textContent = "not connected";
  showError("reach the store", error);
}
