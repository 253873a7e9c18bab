import { assertEquals } from "@std/assert";
import { loadGuest } from "../../src/boot/load.ts";
import { requireTool } from "../util/tools.ts";
import { elf, GuestView, MIB, pattern, request } from "./images.ts";

function tables(cpus = 2, virtioDevices = 2) {
  const image = loadGuest(
    request(elf(64, MIB, [{ vaddr: MIB, bytes: pattern(4) }]), {
      cpus,
      virtioDevices,
    }),
  );
  const memory = new GuestView(image);
  const rsdp = memory.bytes(0xe0000, 36);
  const at = (gpa: number) => memory.bytes(gpa, memory.u32(gpa + 4));
  const name = (gpa: number) => new TextDecoder().decode(memory.bytes(gpa, 4));
  const xsdt = memory.u64(0xe0000 + 24);
  const found = new Map<string, Uint8Array>([["XSDT", at(xsdt)]]);
  for (let i = xsdt + 36; i < xsdt + memory.u32(xsdt + 4); i += 8) {
    const gpa = memory.u64(i);
    found.set(name(gpa), at(gpa));
    if (name(gpa) === "FACP") {
      found.set("DSDT", at(memory.u32(gpa + 40)));
      found.set("FACS", at(memory.u32(gpa + 36)));
    }
  }
  return { rsdp, found, memory };
}

const sum = (bytes: Uint8Array) => bytes.reduce((a, b) => (a + b) & 0xff, 0);

Deno.test("signatures, lengths and checksums", () => {
  const { rsdp, found, memory } = tables();
  assertEquals(new TextDecoder().decode(rsdp.subarray(0, 8)), "RSD PTR ");
  assertEquals([sum(rsdp.subarray(0, 20)), sum(rsdp)], [0, 0]);
  assertEquals([...found.keys()].sort(), [
    "APIC",
    "DSDT",
    "FACP",
    "FACS",
    "XSDT",
  ]);
  for (const [name, bytes] of found) {
    if (name !== "FACS") assertEquals(sum(bytes), 0, name);
  }
  assertEquals(found.get("FACP")!.length, 276);
  const rsdt = memory.u32(0xe0000 + 16);
  assertEquals(memory.u32(rsdt + 4), 36 + 8);
});

Deno.test("the MADT lists processors, the IOAPIC and both overrides", () => {
  const madt = tables(3).found.get("APIC")!;
  const entries: number[][] = [];
  for (let at = 44; at < madt.length; at += madt[at + 1]) {
    entries.push([...madt.subarray(at, at + madt[at + 1])]);
  }
  assertEquals(entries, [
    [0, 8, 0, 0, 1, 0, 0, 0],
    [0, 8, 1, 1, 1, 0, 0, 0],
    [0, 8, 2, 2, 1, 0, 0, 0],
    [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
    [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
    [2, 10, 0, 9, 9, 0, 0, 0, 13, 0],
    [4, 6, 0xff, 0, 0, 1],
  ]);
});

Deno.test({
  name: "iasl takes the tables apart and finds the devices",
  ignore: !requireTool("iasl"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const disassemble = async (name: string, bytes: Uint8Array) => {
        await Deno.writeFile(`${folder}/${name}.aml`, bytes);
        const { success, stderr } = await new Deno.Command("iasl", {
          args: ["-d", `${name}.aml`],
          cwd: folder,
        }).output();
        assertEquals(success, true, new TextDecoder().decode(stderr));
        return await Deno.readTextFile(`${folder}/${name}.dsl`);
      };
      const { found } = tables(2, 8);
      const dsdt = await disassemble("dsdt", found.get("DSDT")!);
      for (
        const line of [
          "_S5, Package (0x04)",
          "Device (RTC)",
          'EisaId ("PNP0501")',
          '"LNRO0005"',
          "0xFEB07000",
          "0x00000017,",
          "IRQNoFlags ()",
        ]
      ) assertEquals(dsdt.includes(line), true, `${line} in\n${dsdt}`);
      const fadt = await disassemble("facp", found.get("FACP")!);
      assertEquals(/PM1A Event Block Address : 00000600/.test(fadt), true);
      assertEquals(/Reset Register Supported.*: 1/.test(fadt), true);
      const madt = await disassemble("apic", found.get("APIC")!);
      assertEquals(
        madt.match(/Local APIC Flags|Processor Enabled : 1/g)!.length,
        2,
      );
      // What was taken apart must assemble again without a complaint.
      const { stdout } = await new Deno.Command("iasl", {
        args: ["dsdt.dsl"],
        cwd: folder,
      }).output();
      assertEquals(/0 Errors/.test(new TextDecoder().decode(stdout)), true);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
