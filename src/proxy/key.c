#include "proxy/key.h"

#include <stdio.h>

#include "base/random.h"

/* Decimal digits of the key that `classic` draws. */
#define SIX_DIGITS_FIRST 100000
#define SIX_DIGITS_COUNT 900000

/* Each finder puts the text into the key and says whether it is there. */
typedef bool (*find_fn)(struct view name, const struct table_key *source, const struct head *head,
                        struct view client_ip, struct key *key);

static bool find_header(struct view name, const struct table_key *source, const struct head *head,
                        struct view client_ip, struct key *key)
{
    (void)source;
    (void)client_ip;
    /* One that Connection names is not passed on: it is not there. */
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];

        if (field->is_dropped || !field->value.size || !view_equals_nocase(field->name, name))
            continue;
        key->text = field->value;
        return true;
    }
    return false;
}

/* The value behind NAME= in a list of pairs. */
static bool find_pair(struct view pairs, char separator, struct view name, struct view *value)
{
    while (pairs.size) {
        struct view pair = view_first(pairs, view_find(pairs, separator));
        size_t equals;

        pairs = view_after(pairs, pair.size + 1);
        pair = view_trim(pair);
        equals = view_find(pair, '=');
        if (equals == pair.size || !view_equals(view_first(pair, equals), name))
            continue;
        *value = view_after(pair, equals + 1);
        return value->size > 0;
    }
    return false;
}

static bool find_cookie(struct view name, const struct table_key *source, const struct head *head,
                        struct view client_ip, struct key *key)
{
    (void)source;
    (void)client_ip;
    for (unsigned i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == FIELD_COOKIE &&
            find_pair(head->fields[i].value, ';', name, &key->text))
            return true;
    }
    return false;
}

static bool find_query(struct view name, const struct table_key *source, const struct head *head,
                       struct view client_ip, struct key *key)
{
    (void)source;
    (void)client_ip;
    return find_pair(head->query, '&', name, &key->text);
}

static bool find_path(struct view name, const struct table_key *source, const struct head *head,
                      struct view client_ip, struct key *key)
{
    struct view rest = view_after(head->path, 1);
    struct view segment = {NULL, 0};

    (void)name;
    (void)client_ip;
    if (source->number == 0) {
        key->text = head->path;
        return true;
    }
    for (unsigned i = 0; i < source->number; i++) {
        segment = view_first(rest, view_find(rest, '/'));
        rest = view_after(rest, segment.size + 1);
    }
    key->text = segment;
    return segment.size > 0;
}

static bool find_host(struct view name, const struct table_key *source, const struct head *head,
                      struct view client_ip, struct key *key)
{
    (void)name;
    (void)source;
    (void)client_ip;
    key->text = head->host;
    return head->host.size > 0;
}

static void clear_behind(uint8_t *bytes, unsigned size, unsigned bits)
{
    for (unsigned bit = bits; bit < size * 8; bit++)
        bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static bool find_client_ip(struct view name, const struct table_key *source,
                           const struct head *head, struct view client_ip, struct key *key)
{
    struct address address;

    (void)name;
    (void)head;
    if (address_from_ip(client_ip, 0, &address) < 0)
        return false;
    if (address.any.sa_family == AF_INET && source->number)
        clear_behind((uint8_t *)&address.in.sin_addr, 4, source->number);
    if (address.any.sa_family == AF_INET6 && source->number6)
        clear_behind((uint8_t *)&address.in6.sin6_addr, 16, source->number6);
    address_ip_to_text(&address, key->memory);
    key->text = view_of(key->memory);
    return true;
}

static bool find_json(struct view name, const struct table_key *source, const struct head *head,
                      struct view client_ip, struct key *key)
{
    /* No head has it: see key_find_in_body(). */
    (void)name;
    (void)source;
    (void)head;
    (void)client_ip;
    (void)key;
    return false;
}

/* Eight hexadecimal digits, one a byte, of 32 bits: all at once, as every request may need them. */
static uint64_t hex_digits(uint32_t bits)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t nibbles = bits, letters;

    nibbles = (nibbles | nibbles << 16) & UINT64_C(0x0000ffff0000ffff);
    nibbles = (nibbles | nibbles << 8) & UINT64_C(0x00ff00ff00ff00ff);
    nibbles = (nibbles | nibbles << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    letters = (nibbles + each * 6) >> 4 & each;
    return nibbles + each * '0' + letters * ('a' - '0' - 10);
}

static bool draw(struct view name, const struct table_key *source, const struct head *head,
                 struct view client_ip, struct key *key)
{
    (void)name;
    (void)head;
    (void)client_ip;
    key->is_drawn = true;
    if (source->number == 6) {
        snprintf(key->memory, sizeof(key->memory), "%u",
                 (unsigned)(SIX_DIGITS_FIRST + random_below(SIX_DIGITS_COUNT)));
        key->text = view_of(key->memory);
        return true;
    }
    for (unsigned i = 0; i < KEY_DRAWN_BYTES; i += 16) {
        uint64_t bits = random_next();
        uint64_t digits[] = {hex_digits((uint32_t)bits), hex_digits((uint32_t)(bits >> 32))};

        memcpy(key->memory + i, digits, sizeof(digits));
    }
    key->text = (struct view){key->memory, KEY_DRAWN_BYTES};
    return true;
}

static const find_fn finders[] = {
    [TABLE_KEY_HEADER] = find_header, [TABLE_KEY_COOKIE] = find_cookie,
    [TABLE_KEY_QUERY] = find_query,   [TABLE_KEY_PATH] = find_path,
    [TABLE_KEY_HOST] = find_host,     [TABLE_KEY_CLIENT_IP] = find_client_ip,
    [TABLE_KEY_JSON] = find_json,     [TABLE_KEY_RANDOM] = draw,
};

void key_find(const struct table *table, const struct table_service *service,
              const struct head *head, struct view client_ip, struct key *key)
{
    key->is_drawn = false;
    for (unsigned i = 0; i < service->key_count; i++) {
        const struct table_key *source = &service->keys[i];

        key->source = i;
        if (source->kind < ARRAY_SIZE(finders) &&
            finders[source->kind](table_text(table, source->text), source, head, client_ip, key))
            return;
    }
    key->source = service->key_count;
    key->text = (struct view){"", 0};
}

bool key_is_in_body(const struct table_service *service, unsigned source)
{
    for (unsigned i = 0; i < source && i < service->key_count; i++) {
        if (service->keys[i].kind == TABLE_KEY_JSON)
            return true;
    }
    return false;
}

enum json_pointer_result key_find_in_body(const struct table *table,
                                          const struct table_service *service, unsigned source,
                                          struct view body, bool is_all, struct view *key)
{
    for (unsigned i = 0; i < source && i < service->key_count; i++) {
        enum json_pointer_result result;

        if (service->keys[i].kind != TABLE_KEY_JSON)
            continue;
        result = json_pointer_find(body, table_text(table, service->keys[i].text), key);
        if (result == JSON_POINTER_FOUND && key->size)
            return result;
        if (result == JSON_POINTER_MORE && !is_all)
            return result;
    }
    return JSON_POINTER_ABSENT;
}
