// What the partition's processors have in common: how many there are, and how
// their local APICs are accessed.

export let vpCount: u32 = 0;

export function setVpCount(n: u32): void {
  vpCount = n;
}

/** LocalApicEmulationMode: 0 none, 1 xAPIC, 2 x2APIC. */
export let apicMode: u32 = 0;

export function setApicMode(m: u32): void {
  apicMode = m;
}
