/*
 * Programs that make the calls of the platform as the best-known ones do: in their
 * order, with their buffers and sizes, and looking at what those look at. Written after
 * what the programs do, none of their text is here. One thread each; guests are a few
 * instructions in memory that begins at guest address 0.
 */
#pragma once

#include "../winhv.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_BYTES = 1 << 20, PAGE = 4096 };

enum exit_reason {
    EXIT_MEMORY = 0x1,
    EXIT_IO = 0x2,
    EXIT_INVALID_REGISTER = 0x5,
    EXIT_WINDOW = 0x7,
    EXIT_HALT = 0x8,
    EXIT_EOI = 0x9,
    EXIT_MSR = 0x1000,
    EXIT_CPUID = 0x1001,
    EXIT_EXCEPTION = 0x1002,
    EXIT_INIT_SIPI = 0x1006,
    EXIT_CANCELED = 0x2001,
};

enum register_name {
    RAX = 0x0, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R15 = 0xf, RIP, RFLAGS,
    ES, CS, SS, DS, FS, GS, LDTR, TR, IDTR, GDTR, CR0, CR2, CR3, CR4, CR8,
    XMM0 = 0x1000, FP_MMX0 = 0x1010, FP_CONTROL_STATUS = 0x1018, XMM_CONTROL_STATUS,
    TSC = 0x2000, EFER, KERNEL_GS_BASE, APIC_BASE, PAT, SYSENTER_CS, SYSENTER_EIP,
    SYSENTER_ESP, STAR, LSTAR, CSTAR, SFMASK, INITIAL_APIC_ID,
    PENDING_INTERRUPTION = (int)0x80000000, INTERRUPT_STATE, PENDING_EVENT,
    NOTIFICATIONS = (int)0x80000004, INTERNAL_ACTIVITY, PENDING_DEBUG_EXCEPTION,
};

/* of WHV_CAPABILITY_CODE and WHV_PARTITION_PROPERTY_CODE */
static const UINT32 CAP_HYPERVISOR = 0x0, CAP_FEATURES = 0x1, CAP_EXITS = 0x2;
static const UINT32 CAP_VENDOR = 0x1000, CAP_CLOCK = 0x1004, CAP_APIC_CLOCK = 0x1005;
static const UINT32 CAP_BANKS = 0x1006, CAP_SYNTHETIC = 0x1008;
static const UINT32 PROP_EXITS = 0x1, PROP_EXCEPTIONS = 0x2, PROP_MSR_EXITS = 0x5;
static const UINT32 PROP_CPUID_EXITS = 0x1003, PROP_CPUID_RESULTS = 0x1004;
static const UINT32 PROP_APIC = 0x1005, PROP_BANKS = 0x100a, PROP_COUNT = 0x1fff;
/* WHV_EXTENDED_VM_EXITS */
enum { VM_EXIT_CPUID = 1, VM_EXIT_MSR = 2, VM_EXIT_EXCEPTION = 4, VM_EXIT_INIT_SIPI = 0x40 };
enum { APIC_NONE, APIC_XAPIC };
static const UINT32 MAP_ROM = 5, MAP_RAM = 7;
enum { FLAG_TF = 0x100, FLAG_IF = 0x200 };
/* PendingEvent: pending, type, and the vector's place */
enum { EVENT_EXCEPTION = 1, EVENT_EXT_INT = 1 | 5 << 1 };

#define HV_INVALID_PARAMETER ((HRESULT)0xc0350005)
#define HV_ACCESS_DENIED ((HRESULT)0xc0350006)
#define HV_OPERATION_DENIED ((HRESULT)0xc0350008)
#define WHV_E_UNKNOWN_PROPERTY_ ((HRESULT)0x80370302)

/* As large as WHV_PARTITION_PROPERTY: some give all of it, whatever the property. */
typedef union {
    UINT32 ProcessorCount, LocalApicEmulationMode, CpuidExitList[4];
    UINT64 ExtendedVmExits, ExceptionExitBitmap, X64MsrExitBitmap;
    UINT8 all[48];
} property;

/* As WHV_REGISTER_VALUE; 16-byte aligned, as the platform wants them. */
typedef union {
    UINT64 Reg64;
    struct { UINT64 Low, High; } Reg128;
    struct { UINT64 Base; UINT32 Limit; UINT16 Selector, Attributes; } Segment;
    struct { UINT16 Pad[3], Limit; UINT64 Base; } Table;
    UINT8 all[16] __attribute__((aligned(16)));
} value;

#ifdef _WIN32
_Static_assert(sizeof(property) == sizeof(WHV_PARTITION_PROPERTY), "");
_Static_assert(sizeof(value) == sizeof(WHV_REGISTER_VALUE), "");
#endif

extern WHV_PARTITION_HANDLE partition;
/* What is mapped at guest address 0, and read-only at ROM. */
extern uint8_t *memory;
#define ROM 0xd0100000u
/* Nothing is mapped there. */
#define DEVICE 0xd0000000u

/* Says what failed, where, and ends the program. */
void failed(const char *file, int line, const char *condition);
#define CHECK(condition) ((condition) ? (void)0 : failed(__FILE__, __LINE__, #condition))
#define OK(call) CHECK((call) == S_OK)

/* A property given as a union, all of it; or as many bytes as it has. */
void set_union(UINT32 code, property value);
void set_bytes(UINT32 code, const void *bytes, UINT32 count);

/* Memory, aligned and zero; the page at ROM is its last. */
void map_memory(void);
void delete_partition(UINT32 processors);

void set_registers(UINT32 vp, const UINT32 *names, UINT32 count, const value *values);
void get_registers(UINT32 vp, const UINT32 *names, UINT32 count, value *values);
void set_register(UINT32 vp, UINT32 name, UINT64 bits);
UINT64 get_register(UINT32 vp, UINT32 name);

/* The last exit, and parts of it. */
extern uint8_t last_exit[224];
UINT32 exit_u32(unsigned offset);
UINT64 exit_u64(unsigned offset);
#define EXIT_LENGTH (last_exit[10] & 15u)
#define EXIT_RIP exit_u64(32)
#define EXIT_RFLAGS exit_u64(40)
/* Runs a processor; the exit has to be this one. */
void run(UINT32 vp, UINT32 reason);
/* The same with a buffer of `bytes` bytes. */
void run_sized(UINT32 vp, UINT32 reason, UINT32 bytes);
/* Runs until the port is written, and goes past that. */
void run_to_port(UINT32 vp, UINT16 port);

/* Puts code, as hexadecimal digits, into memory; returns the address after it. */
UINT16 put(UINT16 address, const char *code);
void real_mode(UINT32 vp, UINT16 rip);
/* 32-bit, flat, with handlers by handle(). */
void protected_mode(UINT32 vp, UINT16 rip);
/* A vector's handler: an interrupt gate, and a real-mode vector. */
void handle(unsigned vector, UINT16 address);

/* An emulator whose callbacks do as most do: registers and translation from the
   platform, memory from `memory`, and what is left to these. */
extern struct devices {
    unsigned ports, accesses, register_writes;
    UINT16 port;
    UINT32 port_data;
    UINT64 gpa;
    UINT8 size, is_write, data[8];
} devices;
WHV_EMULATOR_HANDLE make_emulator(void);
/* Emulates the last exit of a processor, a port's or memory's. */
void emulate(WHV_EMULATOR_HANDLE emulator, UINT32 vp);

void client_qemu(void);
void client_qemu_pic(void);
void client_crosvm(void);
void client_openvmm(void);
void client_libwhp(void);
