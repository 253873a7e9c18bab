// The command when run, the library when imported.

export {
  Partition,
  PlatformError,
  VirtualProcessor,
} from "./src/platform/mod.ts";
export { openNative } from "./src/platform/mod.ts";
export { openSoft } from "./src/soft/mod.ts";
export { Machine } from "./src/machine/machine.ts";
export { BootError, loadGuest } from "./src/boot/mod.ts";
export { Debugger } from "./src/debug/debugger.ts";
export { GdbServer } from "./src/gdb/server.ts";

if (import.meta.main) {
  const { main } = await import("./src/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
