export {
  createMaintenance,
  type Maintenance,
  type MaintenanceOptions,
  type MaintenanceReport,
} from "./create-maintenance.ts";
export { createPacer, REPAIR_BYTES_PER_SECOND } from "./pacer.ts";
export { type RepairOptions, type RepairReport, repair } from "./repair.ts";
