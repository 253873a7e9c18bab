/** Guest images: recognised, taken apart, put into a machine. */
export { BootError } from "./image.ts";
export type {
  BootImage,
  BootModule,
  BootRequest,
  FlatChoice,
  FlatMode,
  InitialGpr,
  InitialSegment,
  InitialState,
  InitialTable,
  MemoryWrite,
  PortWrite,
} from "./image.ts";
export { loadGuest } from "./load.ts";
export { startGuest } from "./start.ts";
