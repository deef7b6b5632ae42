#include "balance/md5.h"

#include <endian.h>

#define BLOCK_BYTES 64

/* |sin(i + 1)| · 2^32, and by how much each step turns. */
static const uint32_t sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t turns[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t turn_left(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* The function of a round and which word of the block it takes. */
static uint32_t mix(unsigned step, const uint32_t s[4], unsigned *word)
{
    switch (step / 16) {
    case 0:
        *word = step;
        return (s[1] & s[2]) | (~s[1] & s[3]);
    case 1:
        *word = (5 * step + 1) % 16;
        return (s[3] & s[1]) | (~s[3] & s[2]);
    case 2:
        *word = (3 * step + 5) % 16;
        return s[1] ^ s[2] ^ s[3];
    default:
        *word = 7 * step % 16;
        return s[2] ^ (s[1] | ~s[3]);
    }
}

static void add_block(uint32_t state[4], const uint8_t block[BLOCK_BYTES])
{
    uint32_t s[4] = {state[0], state[1], state[2], state[3]};
    uint32_t words[16];

    memcpy(words, block, BLOCK_BYTES);
    for (unsigned step = 0; step < 64; step++) {
        unsigned word;
        uint32_t mixed = mix(step, s, &word);

        mixed += s[0] + sines[step] + le32toh(words[word]);
        s[0] = s[3];
        s[3] = s[2];
        s[2] = s[1];
        s[1] += turn_left(mixed, turns[step / 16][step % 4]);
    }
    for (unsigned i = 0; i < 4; i++)
        state[i] += s[i];
}

void md5_sum(struct view text, uint8_t sum[MD5_BYTES])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint64_t bits = htole64((uint64_t)text.size * 8);
    uint8_t block[BLOCK_BYTES] = {0};

    for (; text.size >= BLOCK_BYTES; text = view_after(text, BLOCK_BYTES))
        add_block(state, (const uint8_t *)text.data);
    if (text.size)
        memcpy(block, text.data, text.size);
    block[text.size] = 0x80;
    if (text.size >= BLOCK_BYTES - sizeof(bits)) {
        add_block(state, block);
        memset(block, 0, sizeof(block));
    }
    memcpy(block + BLOCK_BYTES - sizeof(bits), &bits, sizeof(bits));
    add_block(state, block);
    for (unsigned i = 0; i < 4; i++)
        state[i] = htole32(state[i]);
    memcpy(sum, state, MD5_BYTES);
}
