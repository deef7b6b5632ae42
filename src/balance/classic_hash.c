#include "balance/classic_hash.h"

#include <errno.h>
#include <stdio.h>

#include "balance/md5.h"

#define FNV_OFFSET   UINT32_C(2166136261)
#define FNV_PRIME    UINT32_C(16777619)
#define MULTIPLIER_I UINT64_C(2654435761)
#define MULTIPLIER_J UINT64_C(40503)
#define MIX_FACTOR   UINT64_C(0x45d9f3b)

static uint32_t fnv1a(struct view text)
{
    uint32_t hash = FNV_OFFSET;

    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * FNV_PRIME;
    return hash;
}

/* The sum's 16 bytes as one number, the first byte the highest. */
static uint32_t md5_modulo(struct view text, uint32_t slots)
{
    uint8_t sum[MD5_BYTES];
    uint64_t rest = 0;

    md5_sum(text, sum);
    for (unsigned i = 0; i < MD5_BYTES; i++)
        rest = (rest << 8 | sum[i]) % slots;
    return (uint32_t)rest;
}

/* a·i² + b·i + c mod m: each step stays below 2^64, for m is below 2^32. */
static uint32_t polynomial(uint64_t i, uint64_t square, uint64_t linear, uint64_t constant,
                           uint32_t m)
{
    uint64_t x = i % m;

    return (uint32_t)((x * x % m * square + x * linear + constant) % m);
}

static uint32_t quadratic(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return polynomial(i, 1, 2, 17, m);
}

static uint32_t quadratic_172(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return polynomial(i, 1, 2, 172, m);
}

static uint32_t quadratic_2(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return polynomial(i, 2, 1, 17, m);
}

static uint32_t linear(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return polynomial(i, 0, 3, 17, m);
}

static uint32_t modulo(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return (uint32_t)(i % m);
}

static uint32_t mix32(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    i = (i >> 16 ^ i) * MIX_FACTOR;
    i = (i >> 16 ^ i) * MIX_FACTOR;
    return (uint32_t)((i >> 16 ^ i) % m);
}

static uint32_t fnv1a_text(uint64_t i, struct view text, uint32_t m)
{
    (void)i;
    return fnv1a(text) % m;
}

static uint32_t md5_text(uint64_t i, struct view text, uint32_t m)
{
    (void)i;
    return md5_modulo(text, m);
}

static uint32_t multiply(uint64_t i, struct view text, uint32_t m)
{
    (void)text;
    return (uint32_t)(i % m * MULTIPLIER_I % m);
}

static const struct {
    const char *name;
    uint32_t (*function)(uint64_t i, struct view text, uint32_t m);
} requests[] = {
    {"quadratic", quadratic},     {"quadratic-172", quadratic_172},
    {"quadratic-2", quadratic_2}, {"linear", linear},
    {"modulo", modulo},           {"mix32", mix32},
    {"fnv1a", fnv1a_text},        {"md5", md5_text},
    {"multiply", multiply},
};

static uint32_t server_quadratic(uint64_t i, uint64_t j, uint32_t m)
{
    return (uint32_t)((i * i + j * j % m + 2 * j + 25) % m);
}

static uint32_t server_linear(uint64_t i, uint64_t j, uint32_t m)
{
    return (uint32_t)((i + 3 * j + 25) % m);
}

static uint32_t server_mixed(uint64_t i, uint64_t j, uint32_t m)
{
    return (uint32_t)((i + j + 2 * (j * j % m) + 25) % m);
}

/* "i:j" for those that hash text. */
static struct view pair_text(uint64_t i, uint64_t j, char *text, size_t capacity)
{
    int size = snprintf(text, capacity, "%llu:%llu", (unsigned long long)i, (unsigned long long)j);

    return (struct view){text, (size_t)size};
}

static uint32_t server_fnv1a(uint64_t i, uint64_t j, uint32_t m)
{
    char text[44];

    return fnv1a(pair_text(i, j, text, sizeof(text))) % m;
}

static uint32_t server_md5(uint64_t i, uint64_t j, uint32_t m)
{
    char text[44];

    return md5_modulo(pair_text(i, j, text, sizeof(text)), m);
}

static uint32_t server_multiply(uint64_t i, uint64_t j, uint32_t m)
{
    return (uint32_t)((i % m * MULTIPLIER_I + j % m * MULTIPLIER_J) % m);
}

static const struct {
    const char *name;
    uint32_t (*function)(uint64_t i, uint64_t j, uint32_t m);
} servers[] = {
    {"quadratic", server_quadratic}, {"linear", server_linear}, {"mixed", server_mixed},
    {"fnv1a", server_fnv1a},         {"md5", server_md5},       {"multiply", server_multiply},
};

const char *classic_hash_request_name(unsigned number)
{
    return number < ARRAY_SIZE(requests) ? requests[number].name : NULL;
}

const char *classic_hash_server_name(unsigned number)
{
    return number < ARRAY_SIZE(servers) ? servers[number].name : NULL;
}

int classic_hash_find_request(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
        if (strcmp(requests[i].name, name) == 0)
            return (int)i;
    }
    return -ENOENT;
}

int classic_hash_find_server(const char *name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(servers); i++) {
        if (strcmp(servers[i].name, name) == 0)
            return (int)i;
    }
    return -ENOENT;
}

uint32_t classic_hash_request(unsigned function, struct view key, uint32_t slots)
{
    uint64_t number = 0;

    if (view_to_number(key, UINT64_MAX, &number) < 0 && requests[function].function != md5_text)
        return fnv1a(key) % slots;
    return requests[function].function(number, key, slots);
}

uint32_t classic_hash_server(unsigned function, uint32_t id, uint32_t number, uint32_t slots)
{
    return servers[function].function(id, number, slots);
}
