#include "calls.h"

#include "engine.h"

HRESULT enter(const char *function, WHV_PARTITION_HANDLE partition)
{
    core_lock();
    core_start();
    HRESULT hresult = quirks_call(function);
    if (hresult == S_OK && partition != PARTITION)
        hresult = E_INVALIDARG;
    if (hresult != S_OK)
        core_unlock();
    else
        CORE(updateTime);
    return hresult;
}

HRESULT leave(HRESULT hresult)
{
    engine_look();
    core_unlock();
    return hresult;
}

HRESULT give(HRESULT hresult, void *buffer, UINT32 *written)
{
    if (hresult != S_OK && hresult != WHV_E_INSUFFICIENT_BUFFER)
        return hresult;
    uint32_t size;
    memcpy(&size, SIZE, 4);
    if (written != NULL)
        memcpy(written, &size, 4);
    if (hresult == S_OK && buffer != NULL)
        memcpy(buffer, IOBUF, size);
    return hresult;
}

HRESULT sized(UINT32 size, UINT32 bytes)
{
    memcpy(SIZE, &size, 4);
    return bytes < size ? WHV_E_INSUFFICIENT_BUFFER : S_OK;
}

bool take(const void *buffer, UINT64 bytes)
{
    if (buffer == NULL || bytes > IOBUF_BYTES)
        return false;
    memcpy(IOBUF, buffer, bytes);
    return true;
}
