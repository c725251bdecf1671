export {
  createMaintenance,
  type Maintenance,
  type MaintenanceOptions,
  type MaintenanceReport,
} from "./create-maintenance.ts";
export { type RepairOptions, type RepairReport, repair } from "./repair.ts";
