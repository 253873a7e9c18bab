/**
 * A Linux guest from Debian's own packages: the newest cloud kernel and busybox,
 * fetched through apt, and an initramfs around them. As `deno task guest:debian`
 * it says how to boot the guest to a shell; the tests use it too.
 *
 * What was fetched is kept, and only what is missing is fetched again.
 */
import { exists } from "../util/files.ts";
import { type ArchiveFile, initramfs } from "./cpio.ts";

/** Where the guest is kept: not in the repository, not fetched twice. */
export const GUEST_FOLDER = decodeURI(
  new URL("../../dist/guest-debian", import.meta.url).pathname,
);

/** Modules that the initramfs loads, in this order. */
const MODULES = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_mmio",
  "drivers/block/virtio_blk",
  "drivers/char/virtio_console",
  "drivers/char/hw_random/virtio-rng",
];

/** The first program: sets the system up, then goes on to what root= and init= name
 * as a kernel with the drivers built in would, to /test.sh, or to a shell. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
root= init=/sbin/init mode=ro
for word in $(cat /proc/cmdline); do
  case $word in
  root=*) root=\${word#root=} ;;
  init=*) init=\${word#init=} ;;
  rw) mode=rw ;;
  esac
done
if [ -n "$root" ]; then
  if mount -o $mode "$root" /root; then
    mount --move /dev /root/dev
    umount /sys /proc
    exec switch_root /root "$init"
  fi
  echo "icebp: $root cannot be mounted; what there is:" >/dev/kmsg
  cat /proc/partitions >/dev/kmsg
fi
if [ -e /test.sh ]; then
  sh /test.sh
else
  console=/dev/ttyS0
  grep -q console=hvc0 /proc/cmdline && console=/dev/hvc0
  echo "Debian's kernel $(uname -r). 'poweroff -f' ends it, as Ctrl-A x does." \
    >$console
  while :; do setsid sh -c "exec sh <$console >$console 2>&1"; done
fi
poweroff -f
`;

/** Something the user can mend; the message is one line. */
export class GuestFetchError extends Error {
  override readonly name = "GuestFetchError";
}

/** The guest's parts. */
export interface DebianGuest {
  /** Path of the bzImage. */
  readonly kernel: string;
  readonly busybox: Uint8Array;
  /** The folder of the kernel's modules. */
  readonly moduleFolder: string;
  /** Contents of the kernel modules that it boots with, in loading order. */
  readonly modules: readonly { name: string; bytes: Uint8Array }[];
}

async function run(
  tool: string,
  args: string[],
  cwd?: string,
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(tool, { args, cwd, stdin: "null" })
      .output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new GuestFetchError(
      `${tool} is not there: a Debian system (or one like it) is needed to ` +
        "fetch the guest",
    );
  }
  if (output.success) return new TextDecoder().decode(output.stdout);
  const said = new TextDecoder().decode(output.stderr).trim().split("\n");
  throw new GuestFetchError(`${tool} ${args.join(" ")}: ${said.at(-1)}`);
}

/** The package with the newest cloud kernel. */
async function kernelPackage(): Promise<string> {
  const depends = await run("apt-cache", [
    "depends",
    "linux-image-cloud-amd64",
  ]);
  const name = depends.match(/Depends: (linux-image-\S+)/)?.[1];
  if (name === undefined) {
    throw new GuestFetchError(
      "apt knows no linux-image-cloud-amd64: run apt-get update first",
    );
  }
  return name;
}

/** Fetches a package and unpacks it; a finished one is left as it is. */
async function fetchPackage(
  name: string,
  folder: string,
  say: (line: string) => void,
): Promise<string> {
  const unpacked = `${folder}/${name}`;
  if (await exists(unpacked)) return unpacked;
  say(`fetching ${name}`);
  const work = `${folder}/.${name}`;
  await Deno.mkdir(work, { recursive: true });
  // Without the sandbox user, who may not write here.
  await run("apt-get", [
    "-q",
    "-o",
    "APT::Sandbox::User=root",
    "download",
    name,
  ], work);
  for await (const { name: file } of Deno.readDir(work)) {
    if (file.endsWith(".deb")) {
      await run("dpkg-deb", ["-x", file, "content"], work);
    }
  }
  // Only what is complete gets the final name.
  await Deno.rename(`${work}/content`, unpacked);
  await Deno.remove(work, { recursive: true });
  return unpacked;
}

async function firstFile(folder: string, prefix: string): Promise<string> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.startsWith(prefix)) return `${folder}/${name}`;
  }
  throw new GuestFetchError(`${folder} has no ${prefix}...`);
}

/** The guest in `folder`, fetched as far as it is not there. */
export async function fetchDebian(
  folder = GUEST_FOLDER,
  say: (line: string) => void = () => {},
): Promise<DebianGuest> {
  await Deno.mkdir(folder, { recursive: true });
  const image = await fetchPackage(await kernelPackage(), folder, say);
  const busybox = await fetchPackage("busybox-static", folder, say);
  const moduleFolder = `${await firstFile(
    `${image}/lib/modules`,
    "",
  )}/kernel`;
  const modules = await Promise.all(MODULES.map(async (path, i) => ({
    name: `${i}-${path.split("/").slice(1).join("-")}`,
    bytes: await Deno.readFile(`${moduleFolder}/${path}.ko`),
  })));
  return {
    kernel: await firstFile(`${image}/boot`, "vmlinuz-"),
    busybox: await Deno.readFile(await inPackage(busybox, "bin/busybox")),
    moduleFolder,
    modules,
  };
}

/** A file of a package, which newer releases have below usr. */
async function inPackage(folder: string, path: string): Promise<string> {
  const file = `${folder}/${path}`;
  return await exists(file) ? file : `${folder}/usr/${path}`;
}

/** What programs that share libc need, and a busybox that does so itself. */
export interface SharedPrograms {
  /** Path of libc.so.6. */
  readonly libc: string;
  /** For the initramfs; busybox as shared/busybox. */
  readonly files: readonly ArchiveFile[];
}

/** Debian's dynamically linked busybox, libc and loader, fetched as far as they are
 * not there. */
export async function fetchShared(
  folder = GUEST_FOLDER,
  say: (line: string) => void = () => {},
): Promise<SharedPrograms> {
  const libc = await fetchPackage("libc6", folder, say);
  const busybox = await fetchPackage("busybox", folder, say);
  const libraries = "lib/x86_64-linux-gnu";
  const file = async (path: string, from: string, name = path) => ({
    path,
    content: await Deno.readFile(await inPackage(from, name)),
    executable: true,
  });
  return {
    libc: await inPackage(libc, `${libraries}/libc.so.6`),
    files: [
      ...["lib", "lib64", "shared", libraries].map((path) => ({
        path,
        content: null,
      })),
      await file(
        "lib64/ld-linux-x86-64.so.2",
        libc,
        `${libraries}/ld-linux-x86-64.so.2`,
      ),
      await file(`${libraries}/libc.so.6`, libc),
      await file(`${libraries}/libresolv.so.2`, libc),
      await file("shared/busybox", busybox, "bin/busybox"),
    ],
  };
}

/** An initramfs with busybox and the virtio drivers; `script` becomes /test.sh,
 * after which the guest powers off. */
export function debianInitramfs(
  guest: DebianGuest,
  script?: string,
  more: readonly ArchiveFile[] = [],
): Uint8Array {
  return initramfs([
    ...["bin", "dev", "proc", "sys", "tmp", "root", "modules"].map((path) => ({
      path,
      content: null,
    })),
    { path: "bin/busybox", content: guest.busybox, executable: true },
    ...guest.modules.map(({ name, bytes }) => ({
      path: `modules/${name}.ko`,
      content: bytes,
    })),
    { path: "init", content: INIT, executable: true },
    ...script === undefined ? [] : [{ path: "test.sh", content: script }],
    ...more,
  ]);
}

if (import.meta.main) {
  try {
    const folder = Deno.args[0] ?? GUEST_FOLDER;
    const guest = await fetchDebian(folder, console.log);
    const initrd = `${folder}/initramfs.gz`;
    await Deno.writeFile(initrd, debianInitramfs(guest));
    console.log(`\nTo boot it to a shell, paste:

deno run -A mod.ts --memory 512M --console stdio \\
  --append 'console=hvc0 quiet cryptomgr.notests' \\
  --initrd ${initrd} \\
  ${guest.kernel}

The shell is on the virtio console, which costs a real hypervisor far fewer exits than
a serial port; console=ttyS0 instead shows the kernel from its first line on.
With a disk (--disk FILE, and root=/dev/vda rw on the kernel's command line) the
initial RAM disk goes on to the disk's /sbin/init; the README says how to make one.
With --gdb it waits for gdb. Debian's linux-image-...-dbg package has vmlinux with
the kernel's symbols; gdb's "monitor linux" prints the line that loads them.`);
  } catch (error) {
    if (!(error instanceof GuestFetchError)) throw error;
    console.error(`guest:debian: ${error.message}`);
    Deno.exit(1);
  }
}
