/** What is a PC's rather than its processor's. */

/** Bytes of a disk's sector: what boot sectors, the setup code of Linux and virtio's
 * block devices count in. */
export const SECTOR_BYTES = 512;
