/*
 * A stretch is a run of granules that follow each other in the process and at core
 * addresses. A granule is in one stretch at most, so that memory that is mapped twice,
 * also in part, has the same core addresses both times: what the core knows about a
 * page (decoded code, dirty) it knows by core address.
 */
#include "guest_memory.h"

#include "library.h"

/* As many as the core has ranges (phys.ts), and some that are about to go. */
#define MAX_STRETCHES 2048

/* In granules: where in the process, at which core address, how many. */
typedef struct {
    uint64_t real;
    uint32_t core, count;
} stretch;

static stretch stretches[MAX_STRETCHES];
static unsigned stretch_count;

/* The stretch that a granule of the process is in, or none. */
static stretch *stretch_of(uint64_t real)
{
    for (unsigned i = 0; i < stretch_count; i++)
        if (real - stretches[i].real < stretches[i].count)
            return &stretches[i];
    return NULL;
}

/* The first granule from `real` on, before `end`, that is in a stretch; else `end`. */
static uint64_t next_known(uint64_t real, uint64_t end)
{
    for (unsigned i = 0; i < stretch_count; i++)
        if (stretches[i].real >= real && stretches[i].real < end)
            end = stretches[i].real;
    return end;
}

/* Whether `count` core granules from `first` on are free; else where to look on. */
static bool is_free(uint32_t first, uint32_t count, uint32_t *on)
{
    for (unsigned i = 0; i < stretch_count; i++) {
        stretch *s = &stretches[i];
        if (first < s->core + s->count && s->core < first + count) {
            *on = s->core + s->count;
            return false;
        }
    }
    return true;
}

/* Gives core addresses to `count` granules of the process; false if there is no room. */
static bool add_stretch(uint64_t real, uint64_t count)
{
    uint32_t first = GUEST >> GRANULE_SHIFT;
    if (stretch_count == MAX_STRETCHES || count > GRANULES - first)
        return false;
    while (!is_free(first, count, &first))
        ;
    if (first + count > GRANULES)
        return false;
    stretches[stretch_count++] = (stretch){real, first, count};
    for (uint32_t i = 0; i < count; i++)
        granules[first + i] = (uint8_t *)((real - first) << GRANULE_SHIFT);
    return true;
}

static void remove_stretch(unsigned i)
{
    stretch s = stretches[i];
    /* What the core knows of these pages is about other memory. */
    CORE(hostReleased, s.core << GRANULE_SHIFT, s.count << GRANULE_SHIFT);
    for (uint32_t n = 0; n < s.count; n++)
        granules[s.core + n] = NULL;
    stretches[i] = stretches[--stretch_count];
}

void guest_release_unmapped(void)
{
    for (unsigned i = stretch_count; i-- > 0;) {
        stretch *s = &stretches[i];
        if (!CORE(mapsHost, s->core << GRANULE_SHIFT, s->count << GRANULE_SHIFT))
            remove_stretch(i);
    }
}

void guest_release_all(void)
{
    while (stretch_count > 0)
        remove_stretch(stretch_count - 1);
}

/* Makes sure that every granule of [real, end) is in a stretch. */
static bool add_missing(uint64_t real, uint64_t end)
{
    while (real < end) {
        stretch *s = stretch_of(real);
        uint64_t to = s ? s->real + s->count : next_known(real, end);
        if (!s && !add_stretch(real, to - real))
            return false;
        real = to;
    }
    return true;
}

/* Core address of a byte of the process that is in a stretch. */
static uint32_t core_address(uint64_t byte)
{
    stretch *s = stretch_of(byte >> GRANULE_SHIFT);
    return (uint32_t)(byte - ((s->real - s->core) << GRANULE_SHIFT));
}

/* How many bytes from `byte` on, `most` at most, follow each other at core addresses. */
static uint64_t run_of(uint64_t byte, uint64_t most)
{
    uint64_t end = byte;
    while (end - byte < most) {
        stretch *s = stretch_of(end >> GRANULE_SHIFT);
        if (end != byte && core_address(end) != core_address(byte) + (uint32_t)(end - byte))
            break;
        end = (s->real + s->count) << GRANULE_SHIFT;
    }
    return end - byte < most ? end - byte : most;
}

HRESULT guest_map(const void *source, UINT64 gpa, UINT64 bytes, UINT32 flags)
{
    uint64_t from = (uint64_t)source;
    if (source == NULL || bytes == 0 || from + bytes - 1 < from)
        return E_INVALIDARG;
    uint64_t last = (from + bytes - 1) >> GRANULE_SHIFT;
    HRESULT hresult = add_missing(from >> GRANULE_SHIFT, last + 1) ? S_OK : E_OUTOFMEMORY;
    /* Mostly one run: more only where parts of the memory were mapped before. */
    for (uint64_t done = 0; hresult == S_OK && done < bytes;) {
        uint64_t run = run_of(from + done, bytes - done);
        hresult = CORE(whvMapGpaRange, core_address(from + done), gpa + done, run, flags);
        done += run;
    }
    guest_release_unmapped();
    return hresult;
}
