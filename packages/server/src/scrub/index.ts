export { createScrub, type Scrub, type ScrubberOptions, type ScrubSettings } from "./create-scrub.ts";
export { isOverdue, shareOf } from "./pass-of-scrub.ts";
