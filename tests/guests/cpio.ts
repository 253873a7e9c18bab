// Initramfs archives: "newc" cpio (Documentation/driver-api/early-userspace/
// buffer-format.rst), compressed.
import { gzipSync } from "node:zlib";

/** A file of an archive; content null makes a folder. */
export interface ArchiveFile {
  readonly path: string;
  readonly content: Uint8Array | string | null;
  readonly executable?: boolean;
}

const FOLDER = 0o040755, FILE = 0o100644, EXECUTABLE = 0o100755;
const encoder = new TextEncoder();

function entry(path: string, mode: number, content: Uint8Array): Uint8Array[] {
  const name = encoder.encode(`${path}\0`);
  const fields = new Array<number>(13).fill(0);
  fields[1] = mode;
  fields[4] = 1; // links
  fields[6] = content.length;
  fields[11] = name.length;
  const header = "070701" +
    fields.map((n) => n.toString(16).padStart(8, "0")).join("");
  const pad = (length: number) => new Uint8Array(-length & 3);
  return [
    encoder.encode(header),
    name,
    pad(header.length + name.length),
    content,
    pad(content.length),
  ];
}

/** Makes a gzipped archive; the same files give the same bytes. */
export function initramfs(files: readonly ArchiveFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { path, content, executable } of files) {
    if (content === null) parts.push(...entry(path, FOLDER, new Uint8Array()));
    else {
      const bytes = typeof content === "string"
        ? encoder.encode(content)
        : content;
      parts.push(...entry(path, executable ? EXECUTABLE : FILE, bytes));
    }
  }
  parts.push(...entry("TRAILER!!!", 0, new Uint8Array()));
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(gzipSync(all, { level: 6 }));
}
