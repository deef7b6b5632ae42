#include "proxy/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

/* The first bucket begins here; four buckets to a power of two from there on. */
#define BUCKET_FIRST_SHIFT 6
#define BUCKET_STEP_BITS   2

int segments_create_file(const char *name, size_t bytes, struct error *why)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return error_set(why, -errno, "memfd_create %s: %s", name, strerror(errno));
    if (ftruncate(fd, (off_t)bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
        int result =
            error_set(why, -errno, "memory file %s of %zu bytes: %s", name, bytes, strerror(errno));

        descriptor_close(&fd);
        return result;
    }
    return fd;
}

int segments_map_file(int fd, size_t bytes, int protection, void **memory, struct error *why)
{
    struct stat status;
    void *result;

    if (fstat(fd, &status) < 0 || (size_t)status.st_size != bytes)
        return error_set(why, -EBADMSG, "not a segment of this version");
    result = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (result == MAP_FAILED)
        return error_set(why, -errno, "mapping a segment: %s", strerror(errno));
    *memory = result;
    return 0;
}

int segments_create_state(int *fd, struct state_segment **segment, struct error *why)
{
    int file = segments_create_file("roost-states", sizeof(struct state_segment), why);
    void *memory;
    int result;

    if (file < 0)
        return file;
    result =
        segments_map_file(file, sizeof(struct state_segment), PROT_READ | PROT_WRITE, &memory, why);
    /* From here on nobody else can map it for writing. */
    if (result == 0 && fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
        result = error_set(why, -errno, "sealing the state segment: %s", strerror(errno));
    if (result < 0) {
        descriptor_close(&file);
        return result;
    }
    *segment = memory;
    (*segment)->version = SEGMENTS_VERSION;
    *fd = file;
    return 0;
}

int segments_create_counts(int *fd, const struct count_segment **segment, struct error *why)
{
    int file = segments_create_file("roost-counts", sizeof(struct count_segment), why);
    const uint32_t version = SEGMENTS_VERSION;
    void *memory;
    int result;

    if (file < 0)
        return file;
    if (pwrite(file, &version, sizeof(version), offsetof(struct count_segment, version)) !=
        sizeof(version))
        result = error_set(why, -EIO, "writing a count segment: %s", strerror(errno));
    else
        result = segments_map_file(file, sizeof(struct count_segment), PROT_READ, &memory, why);
    if (result < 0) {
        descriptor_close(&file);
        return result;
    }
    *segment = memory;
    *fd = file;
    return 0;
}

int segments_map_state(int fd, const struct state_segment **segment, struct error *why)
{
    void *memory;
    int result = segments_map_file(fd, sizeof(struct state_segment), PROT_READ, &memory, why);

    if (result < 0)
        return result;
    *segment = memory;
    if ((*segment)->version == SEGMENTS_VERSION)
        return 0;
    segments_unmap_state(*segment);
    return error_set(why, -EBADMSG, "not a state segment of this version");
}

int segments_map_counts(int fd, struct count_segment **segment, struct error *why)
{
    void *memory;
    int result =
        segments_map_file(fd, sizeof(struct count_segment), PROT_READ | PROT_WRITE, &memory, why);

    if (result < 0)
        return result;
    *segment = memory;
    if ((*segment)->version == SEGMENTS_VERSION)
        return 0;
    segments_unmap_counts(*segment);
    return error_set(why, -EBADMSG, "not a count segment of this version");
}

void segments_unmap_state(const struct state_segment *segment)
{
    if (segment)
        munmap((void *)segment, sizeof(*segment));
}

void segments_unmap_counts(const struct count_segment *segment)
{
    if (segment)
        munmap((void *)segment, sizeof(*segment));
}

static void set_word(struct state_segment *segment, uint32_t seat, uint32_t word)
{
    atomic_store_explicit(&segment->seats[seat].word, word, memory_order_release);
    atomic_fetch_add_explicit(&segment->changes, 1, memory_order_release);
}

void segments_set_state(struct state_segment *segment, uint32_t seat, uint32_t incarnation,
                        enum seat_state state)
{
    set_word(segment, seat, incarnation << 8 | (uint32_t)state);
}

void segments_set_returning(struct state_segment *segment, uint32_t seat, uint32_t incarnation,
                            enum seat_state state)
{
    set_word(segment, seat, incarnation << 8 | SEAT_RETURNS | (uint32_t)state);
}

unsigned segments_bucket(uint64_t latency_us)
{
    unsigned top;
    unsigned bucket;

    if (latency_us < (UINT64_C(1) << BUCKET_FIRST_SHIFT))
        return 0;
    top = 63 - (unsigned)__builtin_clzll(latency_us);
    bucket = (top - BUCKET_FIRST_SHIFT) << BUCKET_STEP_BITS;
    bucket += (unsigned)(latency_us >> (top - BUCKET_STEP_BITS)) & ((1u << BUCKET_STEP_BITS) - 1);
    return bucket + 1 < COUNT_BUCKETS ? bucket + 1 : COUNT_BUCKETS - 1;
}

uint64_t segments_bucket_us(unsigned bucket)
{
    unsigned top;
    unsigned step;

    if (bucket == 0)
        return 0;
    top = BUCKET_FIRST_SHIFT + ((bucket - 1) >> BUCKET_STEP_BITS);
    step = (bucket - 1) & ((1u << BUCKET_STEP_BITS) - 1);
    return (UINT64_C(1) << top) + ((uint64_t)step << (top - BUCKET_STEP_BITS));
}

uint64_t segments_quantile_us(const uint64_t counts[COUNT_BUCKETS], unsigned permille)
{
    uint64_t total = 0;
    uint64_t below = 0;
    uint64_t wanted;

    for (unsigned i = 0; i < COUNT_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0;
    wanted = (total * permille + 999) / 1000;
    for (unsigned i = 0; i + 1 < COUNT_BUCKETS; i++) {
        below += counts[i];
        if (below >= wanted)
            return segments_bucket_us(i + 1);
    }
    return segments_bucket_us(COUNT_BUCKETS - 1);
}
