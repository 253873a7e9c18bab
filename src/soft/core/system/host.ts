// What the module asks of TypeScript (or, natively, of C): the emulator's
// callbacks, the time where that is not counted, doorbells where there are any,
// and accesses to devices where they are answered at once. Running a guest
// calls nothing else.

/**
 * The host's monotonic clock in ns; asked only while guest time follows it
 * (setTicks).
 */
@external("host", "clock")
export declare function hostClock(): u64;

/**
 * WHV_EMULATOR_TRANSLATE_GVA_PAGE_CALLBACK: translates the page of `gva`; the
 * GPA is left at IOBUF (u64). Flags are WHV_TRANSLATE_GVA_FLAGS. Returns 0, or
 * the WHV_TRANSLATE_GVA_RESULT_CODE, or -1 when the callback itself failed.
 */
@external("host", "translate")
export declare function hostTranslate(gva: u64, flags: u32): i32;

/**
 * WHV_EMULATOR_MEMORY_CALLBACK: data at IOBUF (8 bytes). Returns 0 or a
 * failure.
 */
@external("host", "memory")
export declare function hostMemory(gpa: u64, bytes: u32, write: u32): i32;

/**
 * WHV_EMULATOR_IO_PORT_CALLBACK: data at IOBUF (4 bytes). Returns 0 or a
 * failure.
 */
@external("host", "ioPort")
export declare function hostIoPort(port: u32, bytes: u32, write: u32): i32;

/**
 * A write where no memory is: nonzero if a doorbell took it, and there is no
 * exit then.
 */
@external("host", "doorbell")
export declare function hostDoorbell(gpa: u64, bytes: u32, value: u64): u32;

/**
 * An access to a device, at ACCESS, by the VP that runs. Returns an
 * IcebpAnswer.
 */
@external("host", "access")
export declare function hostAccess(vp: u32): u32;
