/**
 * What the program ends with. The guest's codes are odd, (value << 1) | 1, so
 * icebp's own are even: nobody takes a failure of icebp for a guest's success.
 */
/** icebp's own exit codes. */
export const ExitCode = {
  ok: 0,
  usage: 2,
  file: 4,
  host: 6,
  shutdown: 8,
  failed: 10,
  listen: 12,
  bug: 14,
  signal: 130,
} as const;

/** When icebp ends with each, for --help and the README. */
export const EXIT_CODES: readonly (readonly [code: number, when: string])[] = [
  [ExitCode.ok, "the guest powered off, or was ended by its user"],
  [ExitCode.usage, "wrong usage"],
  [ExitCode.file, "a file cannot be used: the guest's, a disk, an output"],
  [ExitCode.host, "the host lacks the platform, memory or a permission"],
  [
    ExitCode.shutdown,
    "a triple fault or Linux panic, without a debugger",
  ],
  [ExitCode.failed, "the guest or the platform did what the other cannot take"],
  [ExitCode.listen, "gdb cannot be waited for at that address"],
  [ExitCode.bug, "a fault of icebp itself"],
  [ExitCode.signal, "ended by a signal, whichever"],
];
