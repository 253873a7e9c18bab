/* How the exported functions of WinHvPlatform.dll begin and end. */
#pragma once

#include "library.h"
#include "quirks.h"

/* The one partition. */
#define PARTITION ((WHV_PARTITION_HANDLE)1)

/*
 * Takes the lock for a call. Fails without it for another handle than the partition's,
 * or because a quirk wants it; the caller then returns the HRESULT.
 */
HIDDEN HRESULT enter(const char *function, WHV_PARTITION_HANDLE partition);

/* Gives the lock back after enter() and returns the call's result. */
HIDDEN HRESULT leave(HRESULT hresult);

/* Begins an exported function. */
#define ENTER(partition)                                  \
    do {                                                  \
        HRESULT refused = enter(__func__, partition);     \
        if (refused != S_OK)                              \
            return refused;                               \
    } while (0)

/*
 * For a call that leaves a value at IOBUF and its size at SIZE: both to the caller, who
 * may not want the size. Returns the call's result.
 */
HIDDEN HRESULT give(HRESULT hresult, void *buffer, UINT32 *written);

/* Makes `size` what give() reports; the HRESULT for a buffer of `bytes`. */
HIDDEN HRESULT sized(UINT32 size, UINT32 bytes);

/* Brings `bytes` bytes of the caller's to IOBUF; false if they are absent or too many. */
HIDDEN bool take(const void *buffer, UINT64 bytes);
