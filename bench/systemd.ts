// A disk with Debian and systemd that powers off once it has booted; kept in dist.

import { type DebianGuest, debianInitramfs } from "../tests/guests/debian.ts";
import { haveTool, runTool } from "../tests/util/tools.ts";

const FOLDER = new URL("../dist/guest-systemd", import.meta.url).pathname;

const UNIT = `[Unit]
Description=The end of this boot
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c 'echo reached the end; systemctl poweroff --no-block'
[Install]
WantedBy=multi-user.target
`;

/** The disk's path, made if it is not there; or why it cannot be. */
export function systemdDisk(): string | { readonly why: string } {
  const disk = `${FOLDER}/disk.img`;
  try {
    Deno.statSync(disk);
    return disk;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  if (Deno.uid() !== 0) return { why: "debootstrap needs root" };
  for (const tool of ["debootstrap", "mke2fs", "chroot"]) {
    if (!haveTool(tool)) return { why: `${tool} is not on PATH` };
  }
  console.log(`making ${disk}, once`);
  Deno.mkdirSync(FOLDER, { recursive: true });
  const tree = Deno.makeTempDirSync({ dir: FOLDER });
  try {
    runTool("debootstrap", [
      "--variant=minbase",
      "--include=systemd-sysv,udev",
      "bookworm",
      tree,
    ]);
    runTool("chroot", [tree, "passwd", "-d", "root"]);
    Deno.writeTextFileSync(`${tree}/etc/systemd/system/off.service`, UNIT);
    runTool("chroot", [tree, "systemctl", "enable", "off.service"]);
    runTool("mke2fs", ["-q", "-t", "ext4", "-d", tree, `${disk}.new`, "1G"]);
  } finally {
    Deno.removeSync(tree, { recursive: true });
  }
  Deno.renameSync(`${disk}.new`, disk);
  return disk;
}

/** The initial RAM disk, with the drivers for QEMU's disks on PCI, too. */
export function systemdInitrd(guest: DebianGuest): Uint8Array {
  // behind virtio and virtio_ring, which are 0 and 1
  const drivers = ["legacy_dev", "modern_dev", ""].map((part, n) => {
    const file = `virtio_pci${part && `_${part}`}.ko`;
    const bytes = Deno.readFileSync(
      `${guest.moduleFolder}/drivers/virtio/${file}`,
    );
    return { name: `1a-virtio-pci${n}`, bytes };
  });
  return debianInitramfs({ ...guest, modules: [...guest.modules, ...drivers] });
}
