// The smallest library that has the platform's functions, made with the C compiler.

import { requireTool, runTool } from "../util/tools.ts";

/** True where it cannot be made. */
export const ignore = !requireTool("gcc") || Deno.build.os !== "linux";

/** A processor of one register that says "OUT 0x80" when run. */
export const PLATFORM = `
#include <stdint.h>
#include <string.h>
typedef int32_t H;
static uint64_t registers[64][2];
static unsigned present = PRESENT;
H WHvGetCapability(uint32_t code, void *into, uint32_t size, uint32_t *written) {
  if (code > 2) return 0x80370300;
  uint64_t value = code == 0 ? present : 0x1ff;
  memcpy(into, &value, size < 8 ? size : 8);
  *written = 8;
  return 0;
}
H WHvCreatePartition(uint64_t *p) { *p = 0xfedcba9876543210; return 0; }
H WHvSetupPartition(uint64_t p) { return p == 0xfedcba9876543210 ? 0 : -1; }
H WHvDeletePartition(uint64_t p) { return 0; }
H WHvGetPartitionProperty(uint64_t p, uint32_t c, void *v, uint32_t n, uint32_t *w) { return 0x80370302; }
H WHvSetPartitionProperty(uint64_t p, uint32_t c, void *v, uint32_t n) { return 0; }
H WHvMapGpaRange(uint64_t p, unsigned char *s, uint64_t g, uint64_t n, uint32_t f) {
  s[0] = g >> 12; s[n - 1] = f; return 0;
}
H WHvUnmapGpaRange(uint64_t p, uint64_t g, uint64_t n) { return 0x80370305; }
H WHvTranslateGva(uint64_t p, uint32_t i, uint64_t g, uint32_t f, uint32_t *r, uint64_t *a) {
  r[0] = f; r[1] = 0; *a = g + 1; return 0;
}
H WHvCreateVirtualProcessor(uint64_t p, uint32_t i, uint32_t f) { return 0; }
H WHvDeleteVirtualProcessor(uint64_t p, uint32_t i) { return 0; }
H WHvRunVirtualProcessor(uint64_t p, uint32_t i, unsigned char *c, uint32_t n) {
  memset(c, 0, n);
  c[0] = 2; c[8 + 2] = 2; c[48 + 20] = 1 | 1 << 1; c[48 + 24] = 0x80; c[48 + 32] = 'x';
  return 0;
}
H WHvCancelRunVirtualProcessor(uint64_t p, uint32_t i, uint32_t f) { return 0; }
H WHvGetVirtualProcessorRegisters(uint64_t p, uint32_t i, uint32_t *n, uint32_t c, uint64_t (*v)[2]) {
  for (uint32_t k = 0; k < c; k++) memcpy(v[k], registers[n[k] & 63], 16);
  return 0;
}
H WHvSetVirtualProcessorRegisters(uint64_t p, uint32_t i, uint32_t *n, uint32_t c, uint64_t (*v)[2]) {
  for (uint32_t k = 0; k < c; k++) memcpy(registers[n[k] & 63], v[k], 16);
  return 0;
}
`;

/** The same, but no processor of it can run: InvalidVpRegisterValue. */
export const cannotRun = PLATFORM.replace("c[0] = 2;", "c[0] = 5;");

/** The same, but no memory can be mapped: E_FAIL. */
export const cannotBeMade = PLATFORM.replace(
  "s[0] = g >> 12; s[n - 1] = f; return 0;",
  "return 0x80004005;",
);

/** Copies one byte from a port to RAX and doubles RCX, through callbacks. */
export const EMULATION = `
#include <stdint.h>
typedef int32_t H;
struct io { uint8_t direction; uint16_t port, size; uint32_t data; };
struct memory { uint64_t gpa; uint8_t direction, size, data[8]; };
struct callbacks {
  uint32_t size, reserved;
  H (*io)(void *, struct io *);
  H (*memory)(void *, struct memory *);
  H (*get)(void *, const uint32_t *, uint32_t, uint64_t (*)[2]);
  H (*set)(void *, const uint32_t *, uint32_t, uint64_t (*)[2]);
  H (*translate)(void *, uint64_t, uint32_t, uint32_t *, uint64_t *);
};
static struct callbacks table;
H WHvEmulatorCreateEmulator(const struct callbacks *c, uint64_t *e) {
  table = *c; *e = 7; return c->size == sizeof *c ? 0 : -1;
}
H WHvEmulatorDestroyEmulator(uint64_t e) { return 0; }
H WHvEmulatorTryIoEmulation(uint64_t e, void *context, const void *vp, const unsigned char *exit, uint32_t *status) {
  struct io io = { 0, exit[24], 1, 0 };
  struct memory memory = { 0x1234567890, 1, 2, { 0xaa, 0xbb } };
  uint32_t names[2] = { 0, 1 }, code = 99;
  uint64_t values[2][2], gpa = 0;
  H failed = table.io(context, &io);
  failed |= table.memory(context, &memory);
  failed |= table.get(context, names, 2, values);
  failed |= table.translate(context, 0x5000, 3, &code, &gpa);
  values[0][0] = io.data + code + gpa;
  values[1][0] *= 2;
  failed |= table.set(context, names, 2, values);
  *status = failed ? 2 : 1;
  return 0;
}
H WHvEmulatorTryMmioEmulation(uint64_t e, void *c, const void *v, const void *m, uint32_t *s) { *s = 2; return 0; }
`;

/** Compiles a library at `path`; `present` is its capability HypervisorPresent. */
export function library(path: string, source: string, present = 1): string {
  Deno.writeTextFileSync(`${path}.c`, source);
  runTool("gcc", [
    "-w",
    "-shared",
    "-fPIC",
    `-DPRESENT=${present}`,
    `${path}.c`,
    "-o",
    path,
  ]);
  return path;
}

/** A test with a folder that is taken away afterwards. */
export function inFolder(test: (folder: string) => void | Promise<void>) {
  return async () => {
    const folder = Deno.makeTempDirSync();
    try {
      await test(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  };
}
