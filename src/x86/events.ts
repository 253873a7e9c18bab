/**
 * Types of the events that are delivered through the IDT (Intel SDM volume 3, 26.8.3,
 * "VM-Entry Controls for Event Injection"). From SoftwareInterrupt on an instruction asked
 * for it, and what it returns to is behind that instruction.
 */
export const EventType = {
  Interrupt: 0,
  Nmi: 2,
  /** Of the processor's own: table 6-1's. */
  Exception: 3,
  /** INT n. */
  SoftwareInterrupt: 4,
  /** INT1. */
  PrivilegedSoftwareException: 5,
  /** INT3 and INTO. */
  SoftwareException: 6,
} as const;
