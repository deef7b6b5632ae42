#include "base/random.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

/* xoshiro256** by Blackman and Vigna (2018), state filled by splitmix64. */
struct generator {
    uint64_t state[4];
    bool is_seeded;
};

/* In a page of its own that the kernel empties in a forked process: a worker must not draw the
 * numbers that its parent and the other workers draw. */
static struct generator *generator;

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static void map_generator(void)
{
    void *page =
        mmap(NULL, sizeof(*generator), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || madvise(page, sizeof(*generator), MADV_WIPEONFORK) < 0)
        abort();
    generator = page;
}

void random_seed(uint64_t seed)
{
    if (!generator)
        map_generator();
    for (int i = 0; i < 4; i++) {
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        generator->state[i] = z ^ (z >> 31);
    }
    generator->is_seeded = true;
}

static void seed_from_kernel(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        abort();
    random_seed(seed);
}

uint64_t random_next(void)
{
    uint64_t *state;
    uint64_t result;
    uint64_t shifted;

    if (!generator || !generator->is_seeded)
        seed_from_kernel();
    state = generator->state;
    result = rotate(state[1] * 5, 7) * 9;
    shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 45);
    return result;
}

uint64_t random_below(uint64_t limit)
{
    uint64_t refuse;
    uint64_t draw;

    assert(limit > 0);
    refuse = -limit % limit;
    do
        draw = random_next();
    while (draw < refuse);
    return draw % limit;
}
