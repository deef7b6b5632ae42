#include "balance/digest.h"

#include <endian.h>
#include <string.h>

#include "balance/digest_key.h"

uint64_t digest_key_long(const uint8_t *secret, struct view key)
{
    return XXH3_64bits_withSecret(key.data, key.size, secret, BALANCE_SECRET_BYTES);
}

void digest_secret(const uint8_t key[BALANCE_KEY_BYTES], uint8_t secret[BALANCE_SECRET_BYTES])
{
    for (uint64_t i = 0; i < BALANCE_SECRET_BYTES / sizeof(uint64_t); i++) {
        uint64_t word = htole64(XXH3_64bits_withSeed(key, BALANCE_KEY_BYTES, i));

        memcpy(secret + i * sizeof(word), &word, sizeof(word));
    }
}

void digest_name(const uint8_t *secret, const char *name, size_t size, uint64_t *low,
                 uint64_t *high)
{
    XXH128_hash_t hash = XXH3_128bits_withSecret(name, size, secret, BALANCE_SECRET_BYTES);

    *low = hash.low64;
    *high = hash.high64 | 1;
}

uint64_t digest_slot(const uint8_t *secret, uint32_t slot)
{
    uint32_t bytes = htole32(slot);

    return XXH3_64bits_withSecret(&bytes, sizeof(bytes), secret, BALANCE_SECRET_BYTES);
}

/* Numbers one after the other, little-endian, then text: the same bytes on every machine. */
static struct balance_digest hash_record(const uint64_t *numbers, size_t count, const char *text)
{
    uint8_t bytes[8 * sizeof(uint64_t) + BALANCE_NAME_BYTES_MAX + 1];
    size_t size = 0;
    size_t text_bytes = strnlen(text, BALANCE_NAME_BYTES_MAX);
    XXH128_hash_t hash;

    for (size_t i = 0; i < count; i++, size += sizeof(uint64_t)) {
        uint64_t number = htole64(numbers[i]);

        memcpy(bytes + size, &number, sizeof(number));
    }
    memcpy(bytes + size, text, text_bytes);
    hash = XXH3_128bits(bytes, size + text_bytes);
    return (struct balance_digest){hash.low64, hash.high64};
}

struct balance_digest digest_member(const char *name, const struct balance_entry *entry)
{
    return hash_record((const uint64_t[]){entry->weight, entry->id}, 2, name);
}

void digest_add(struct balance_digest *sum, struct balance_digest digest)
{
    sum->low += digest.low;
    sum->high += digest.high;
}

struct balance_digest digest_placement(struct balance_digest sum,
                                       const struct balance_options *options)
{
    struct balance_digest digest = sum;
    uint64_t key[2];

    memcpy(key, options->key, sizeof(key));
    digest_add(&digest,
               hash_record((const uint64_t[]){options->slots, options->cap, le64toh(key[0]),
                                              le64toh(key[1]), options->hash_version,
                                              options->virtual_servers},
                           6, options->scheme));
    digest_add(&digest, hash_record((const uint64_t[]){1}, 1,
                                    options->request_hash ? options->request_hash : ""));
    digest_add(&digest, hash_record((const uint64_t[]){2}, 1,
                                    options->server_hash ? options->server_hash : ""));
    return digest;
}
