/** Symbols of an ELF64 file, for programs that name places in a guest. */

const SHT_SYMTAB = 2;
const SECTION_BYTES = 64, SYMBOL_BYTES = 24;

/** The value of symbol `name`; undefined if the file has none of that name. */
export function elfSymbol(file: Uint8Array, name: string): bigint | undefined {
  const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const sections = Number(data.getBigUint64(40, true));
  const count = data.getUint16(60, true);
  const wanted = new TextEncoder().encode(`${name}\0`);
  for (let i = 0; i < count; i++) {
    const at = sections + i * SECTION_BYTES;
    if (data.getUint32(at + 4, true) !== SHT_SYMTAB) continue;
    const link = sections + data.getUint32(at + 40, true) * SECTION_BYTES;
    const names = Number(data.getBigUint64(link + 24, true));
    const start = Number(data.getBigUint64(at + 24, true));
    const end = start + Number(data.getBigUint64(at + 32, true));
    for (let symbol = start; symbol < end; symbol += SYMBOL_BYTES) {
      const text = names + data.getUint32(symbol, true);
      if (wanted.every((byte, k) => file[text + k] === byte)) {
        return data.getBigUint64(symbol + 8, true);
      }
    }
  }
  return undefined;
}
