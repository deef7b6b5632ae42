#include "control/config_value.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/escape.h"

#include "control/config.h"
#include "control/config_key.h"

#define FOUND_BYTES_MAX  60 /* of a wrong value are shown */
#define TEXT_BYTES_MAX   65536
#define EXPECT_BYTES_MAX 400
#define THOUSAND         1000
#define NEAR_MAX         3 /* changes that still look like a typo */

typedef int (*parse_fn)(const struct config_field *field, struct view text, struct arena *arena,
                        void *place);
typedef bool (*print_fn)(const struct config_field *field, const void *place, struct buffer *out);

struct type {
    parse_fn parse; /* -EINVAL where it is none */
    print_fn print;
    const char *noun;
    const char *example; /* ", such as"; NULL: none */
    size_t item_bytes;   /* of a list or map */
    bool is_map;
};

struct unit {
    struct view name;
    uint64_t factor;
};

/* The largest that divides a value is the one it is printed in. */
static const struct unit duration_units[] = {
    {VIEW("h"), 3600000}, {VIEW("m"), 60000}, {VIEW("s"), 1000}, {VIEW("ms"), 1}};
static const struct unit size_units[] = {{VIEW("TiB"), UINT64_C(1) << 40},
                                         {VIEW("GiB"), UINT64_C(1) << 30},
                                         {VIEW("MiB"), UINT64_C(1) << 20},
                                         {VIEW("KiB"), UINT64_C(1) << 10},
                                         {VIEW("B"), 1},
                                         {VIEW(""), 1}};
/* Understood, never printed. */
static const struct unit decimal_units[] = {{VIEW("TB"), UINT64_C(1000000000000)},
                                            {VIEW("GB"), 1000000000},
                                            {VIEW("MB"), 1000000},
                                            {VIEW("kB"), 1000},
                                            {VIEW("KB"), 1000}};

/* What a buffer of ours has no room for is left off: their limits are above what fields can be. */
static void put(struct buffer *out, struct view text)
{
    if (buffer_append(out, text) < 0)
        return;
}

static void put_text(struct buffer *out, const char *text)
{
    put(out, view_of(text));
}

static void put_number(struct buffer *out, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    put_text(out, digits);
}

static bool is_within(const struct config_field *field, uint64_t number)
{
    return number >= field->least && number <= field->most;
}

/*
 * "1.25" in thousandths. More than three places are no number here: what is dropped silently is
 * found late.
 */
static int decimal_parse(struct view text, uint64_t *thousandths)
{
    size_t dot = view_find(text, '.');
    struct view rest = view_after(text, dot + 1);
    uint64_t whole;
    uint64_t part = 0;

    if (view_to_number(view_first(text, dot), UINT32_MAX, &whole) < 0)
        return -EINVAL;
    if (dot < text.size && (rest.size > 3 || view_to_number(rest, THOUSAND, &part) < 0))
        return -EINVAL;
    for (size_t i = rest.size; i < 3; i++)
        part *= 10;
    *thousandths = whole * THOUSAND + part;
    return 0;
}

static void decimal_print(uint64_t thousandths, struct buffer *out)
{
    uint64_t part = thousandths % THOUSAND;
    char digits[8];
    size_t size = 4;

    put_number(out, thousandths / THOUSAND);
    if (!part)
        return;
    snprintf(digits, sizeof(digits), ".%03u", (unsigned)part);
    while (digits[size - 1] == '0')
        size--;
    put(out, (struct view){digits, size});
}

/* A number followed by one of the units. */
static int measure_parse(struct view text, const struct unit *units, size_t count, uint64_t *value)
{
    size_t digits = 0;
    struct view name;
    uint64_t number;

    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    if (view_to_number(view_first(text, digits), UINT64_MAX / 2, &number) < 0)
        return -EINVAL;
    name = view_after(text, digits);
    for (size_t i = 0; i < count; i++) {
        if (!view_equals(name, units[i].name))
            continue;
        if (number > UINT64_MAX / 2 / units[i].factor)
            return -EINVAL;
        *value = number * units[i].factor;
        return 0;
    }
    return -EINVAL;
}

static void measure_print(uint64_t value, const struct unit *units, size_t count,
                          struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (value % units[i].factor || (!value && i + 1 < count))
            continue;
        put_number(out, value / units[i].factor);
        put(out, units[i].name);
        return;
    }
}

static int bool_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    bool is_true = view_equals(text, VIEW("true"));

    (void)field;
    (void)arena;
    if (!is_true && !view_equals(text, VIEW("false")))
        return -EINVAL;
    *(bool *)place = is_true;
    return 0;
}

static bool bool_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    put_text(out, *(const bool *)place ? "true" : "false");
    return true;
}

static int store32(const struct config_field *field, uint64_t number, void *place)
{
    if (!is_within(field, number))
        return -EINVAL;
    *(uint32_t *)place = (uint32_t)number;
    return 0;
}

static int integer_parse(const struct config_field *field, struct view text, struct arena *arena,
                         void *place)
{
    uint64_t number;

    (void)arena;
    if (view_to_number(text, UINT32_MAX, &number) < 0)
        return -EINVAL;
    return store32(field, number, place);
}

static bool integer_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    put_number(out, *(const uint32_t *)place);
    return true;
}

static int duration_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    uint64_t number;

    (void)arena;
    if (measure_parse(text, duration_units, ARRAY_SIZE(duration_units), &number) < 0)
        return -EINVAL;
    return store32(field, number, place);
}

static bool duration_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    measure_print(*(const uint32_t *)place, duration_units, ARRAY_SIZE(duration_units), out);
    return true;
}

static int size_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    uint64_t number;

    (void)arena;
    if (measure_parse(text, size_units, ARRAY_SIZE(size_units), &number) < 0 &&
        measure_parse(text, decimal_units, ARRAY_SIZE(decimal_units), &number) < 0)
        return -EINVAL;
    if (!is_within(field, number))
        return -EINVAL;
    *(uint64_t *)place = number;
    return 0;
}

static bool size_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    measure_print(*(const uint64_t *)place, size_units, ARRAY_SIZE(size_units), out);
    return true;
}

static int factor_parse(const struct config_field *field, struct view text, struct arena *arena,
                        void *place)
{
    uint64_t number;

    (void)arena;
    if (decimal_parse(text, &number) < 0)
        return -EINVAL;
    return store32(field, number, place);
}

static bool factor_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    decimal_print(*(const uint32_t *)place, out);
    return true;
}

static int percent_parse(const struct config_field *field, struct view text, struct arena *arena,
                         void *place)
{
    uint64_t number;

    (void)arena;
    if (!text.size || text.data[text.size - 1] != '%')
        return -EINVAL;
    if (decimal_parse(view_first(text, text.size - 1), &number) < 0 || number % 100)
        return -EINVAL;
    return store32(field, number / 100, place);
}

static bool percent_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    decimal_print((uint64_t) * (const uint32_t *)place * 100, out);
    put_text(out, "%");
    return true;
}

static int word_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)arena;
    for (unsigned i = 0; field->words[i]; i++) {
        if (!view_equals(view_of(field->words[i]), text))
            continue;
        memcpy(place, &i, sizeof(i));
        return 0;
    }
    return -EINVAL;
}

static bool word_print(const struct config_field *field, const void *place, struct buffer *out)
{
    unsigned i;

    memcpy(&i, place, sizeof(i));
    put_text(out, field->words[i]);
    return true;
}

/*
 * Characters that YAML cannot hold or takes for the end of a line (YAML 1.2 5.1, 5.4), as UTF-8:
 * line and paragraph separator, byte order mark, U+FFFE, U+FFFF.
 */
static const struct view unprintable[] = {VIEW("\xe2\x80\xa8"), VIEW("\xe2\x80\xa9"),
                                          VIEW("\xef\xbb\xbf"), VIEW("\xef\xbf\xbe"),
                                          VIEW("\xef\xbf\xbf")};

static bool is_printable(struct view rest)
{
    unsigned char byte = (unsigned char)rest.data[0];

    if (byte < ' ' || byte == 0x7f)
        return false;
    /* U+0080 to U+009F are controls too. */
    if (byte == 0xc2 && rest.size > 1 && (unsigned char)rest.data[1] < 0xa0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(unprintable); i++) {
        if (view_starts_with(rest, unprintable[i]))
            return false;
    }
    return true;
}

/* UTF-8 without control characters but for those in `allowed`. */
static bool is_text(struct view text, const char *allowed)
{
    json_t *checked;

    if (text.size > TEXT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_printable(view_after(text, i)) &&
            (text.data[i] == '\0' || !strchr(allowed, text.data[i])))
            return false;
    }
    checked = json_stringn(text.size ? text.data : "", text.size);
    json_decref(checked);
    return checked;
}

static int text_store(struct view text, struct arena *arena, void *place)
{
    *(char **)place = arena_copy(arena, text);
    return 0;
}

/* Of a command line or an environment: lines and nothing are legal there. */
static int any_text_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    (void)field;
    return is_text(text, "\t\n\r") ? text_store(text, arena, place) : -EINVAL;
}

static int text_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)field;
    return text.size && is_text(text, "") ? text_store(text, arena, place) : -EINVAL;
}

static bool text_print(const struct config_field *field, const void *place, struct buffer *out)
{
    const char *text = *(char *const *)place;

    (void)field;
    if (text)
        put_text(out, text);
    return text;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool config_value_is_name(struct view text)
{
    if (!text.size || text.size > CONFIG_NAME_BYTES_MAX)
        return false;
    if (!is_letter_or_digit(text.data[0]) || !is_letter_or_digit(text.data[text.size - 1]))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_letter_or_digit(text.data[i]) && !memchr(" ._-", text.data[i], 4))
            return false;
    }
    return true;
}

static int name_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)field;
    return config_value_is_name(text) ? text_store(text, arena, place) : -EINVAL;
}

#define HOST_BYTES_MAX 253

static int host_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    struct view name = view_after(text, view_starts_with(text, VIEW("*.")) ? 2 : 0);

    (void)field;
    if (!name.size || text.size > HOST_BYTES_MAX || name.data[0] == '.')
        return -EINVAL;
    for (size_t i = 0; i < name.size; i++) {
        if (!is_letter_or_digit(name.data[i]) && !memchr("-._:[]", name.data[i], 6))
            return -EINVAL;
    }
    return text_store(text, arena, place);
}

static int url_path_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    (void)field;
    if (!text.size || text.data[0] != '/')
        return -EINVAL;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || text.data[i] == '#')
            return -EINVAL;
    }
    return text_store(text, arena, place);
}

static int endpoint_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    struct address address;

    (void)field;
    if (address_from_text(text, &address, NULL) < 0 || address_port(&address) == 0)
        return -EINVAL;
    return text_store(text, arena, place);
}

static int door_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    char written[ADDRESS_TEXT_BYTES];
    struct address address;

    /* A path alone is a unix socket's. */
    if (text.size && text.size + sizeof("unix:") <= sizeof(written) && text.data[0] == '/') {
        snprintf(written, sizeof(written), "unix:%.*s", VIEW_ARGUMENTS(text));
        return door_parse(field, view_of(written), arena, place);
    }
    if (!view_starts_with(text, VIEW("unix:/")))
        return endpoint_parse(field, text, arena, place);
    return address_from_text(text, &address, NULL) < 0 ? -EINVAL
                                                       : text_parse(field, text, arena, place);
}

static int network_parse(const struct config_field *field, struct view text, struct arena *arena,
                         void *place)
{
    struct config_network network;

    (void)field;
    if (address_range_from_text(text, &network.range, NULL) < 0)
        return -EINVAL;
    network.text = arena_copy(arena, text);
    *(struct config_network *)place = network;
    return 0;
}

static bool network_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    put_text(out, ((const struct config_network *)place)->text);
    return true;
}

static int key_parse(const struct config_field *field, struct view text, struct arena *arena,
                     void *place)
{
    (void)field;
    return config_key_parse(text, arena, place);
}

static bool key_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    config_key_print(place, out);
    return true;
}

#define NAME_NOUN                                                                                  \
    "a name of 1 to 63 letters, digits, spaces, '.', '_' and '-' whose first and last are a "      \
    "letter or digit"

static const struct type types[] = {
    [CONFIG_BOOL] = {bool_parse, bool_print, "true or false", NULL, 0, false},
    [CONFIG_INTEGER] = {integer_parse, integer_print, "a whole number", NULL, 0, false},
    [CONFIG_DURATION] = {duration_parse, duration_print, "a duration", "500ms or 10s", 0, false},
    [CONFIG_SIZE] = {size_parse, size_print, "a size", "32KiB", 0, false},
    [CONFIG_FACTOR] = {factor_parse, factor_print, "a number", "1.25", 0, false},
    [CONFIG_PERCENT] = {percent_parse, percent_print, "a percentage", "5%", 0, false},
    [CONFIG_WORD] = {word_parse, word_print, "one of", NULL, 0, false},
    [CONFIG_TEXT] = {text_parse, text_print, "a text", NULL, 0, false},
    [CONFIG_NAME] = {name_parse, text_print, NAME_NOUN, NULL, 0, false},
    [CONFIG_HOST] = {host_parse, text_print, "a host name", "example.org or *.example.org", 0,
                     false},
    [CONFIG_URL_PATH] = {url_path_parse, text_print, "a path", "/api", 0, false},
    [CONFIG_ENDPOINT] = {endpoint_parse, text_print, "IP:PORT", "127.0.0.1:5000 or [::1]:5000", 0,
                         false},
    [CONFIG_TEXTS] = {any_text_parse, text_print, "a text", NULL, sizeof(char *), false},
    [CONFIG_NAMES] = {name_parse, text_print, NAME_NOUN, NULL, sizeof(char *), false},
    [CONFIG_HOSTS] = {host_parse, text_print, "a host name", "example.org", sizeof(char *), false},
    [CONFIG_DOORS] = {door_parse, text_print, "IP:PORT or the path of a unix socket",
                      "127.0.0.1:5001 or /run/roost/control.sock", sizeof(char *), false},
    [CONFIG_NETWORKS] = {network_parse, network_print, "a network", "10.0.0.0/8 or fd00::/8",
                         sizeof(struct config_network), false},
    [CONFIG_KEYS] = {key_parse, key_print,
                     "one of header:NAME, cookie:NAME, query:NAME, path, path:N, host, client-ip, "
                     "client-ip/BITS, client-ip/BITS/BITS6, json:/POINTER, random",
                     NULL, sizeof(struct table_key_spec), false},
    [CONFIG_ENV] = {any_text_parse, text_print, "a text", NULL, sizeof(struct config_pair), true},
    [CONFIG_ENDPOINTS] = {endpoint_parse, text_print, "IP:PORT", "127.0.0.1:9001",
                          sizeof(struct config_pair), true},
    [CONFIG_WEIGHTS] = {integer_parse, integer_print, "a whole number", NULL,
                        sizeof(struct config_weight), true},
};

bool config_value_is_list(enum config_type type)
{
    return types[type].item_bytes && !types[type].is_map;
}

bool config_value_is_map(enum config_type type)
{
    return types[type].is_map;
}

size_t config_value_item_bytes(enum config_type type)
{
    return types[type].item_bytes;
}

/* 64-bit for sizes, 32-bit for every other number. */
static uint64_t special_read(const struct config_field *field, const void *place)
{
    if (field->type == CONFIG_SIZE)
        return *(const uint64_t *)place;
    return *(const uint32_t *)place;
}

static void special_write(const struct config_field *field, void *place)
{
    if (field->type == CONFIG_SIZE)
        *(uint64_t *)place = field->special_value;
    else
        *(uint32_t *)place = (uint32_t)field->special_value;
}

int config_value_parse(const struct config_field *field, struct view text, struct arena *arena,
                       void *place, struct error *why)
{
    if (field->special && view_equals(text, view_of(field->special))) {
        special_write(field, place);
        return 0;
    }
    if (types[field->type].parse(field, text, arena, place) < 0)
        return config_value_refuse(field, text, why);
    return 0;
}

/* The name of a variable in an environment (POSIX 8.1, lower case too). */
static bool is_variable(struct view name)
{
    if (!name.size || (name.data[0] >= '0' && name.data[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (!is_letter_or_digit(name.data[i]) && name.data[i] != '_')
            return false;
    }
    return true;
}

int config_value_parse_pair(const struct config_field *field, struct view name, struct view text,
                            struct arena *arena, void *place, struct error *why)
{
    bool is_env = field->type == CONFIG_ENV;
    char shown[FOUND_BYTES_MAX * ESCAPE_GROWTH_MAX + 1] = "";
    void *value = field->type == CONFIG_WEIGHTS ? (void *)&((struct config_weight *)place)->weight
                                                : (void *)&((struct config_pair *)place)->value;

    if (is_env ? !is_variable(name) : !config_value_is_name(name)) {
        escape_json(view_first(name, FOUND_BYTES_MAX), shown, sizeof(shown) - 1);
        return error_set(why, -EINVAL, "expected as the key %s, found \"%s\"",
                         is_env ? "the name of a variable" : types[CONFIG_NAME].noun, shown);
    }
    if (types[field->type].parse(field, text, arena, value) < 0)
        return config_value_refuse(field, text, why);
    /* The name is the first member of both. */
    *(char **)place = arena_copy(arena, name);
    return 0;
}

int config_value_parse_list(const struct config_field *field, struct view text, struct arena *arena,
                            void *place, struct error *why)
{
    size_t bytes = types[field->type].item_bytes;
    struct config_list list = {NULL, 0};
    struct view rest = text;
    struct view item;
    unsigned count = 0;

    while (view_next_in_list(&rest, &item))
        count++;
    if (count > CONFIG_LIST_MAX)
        return config_value_refuse(field, text, why);
    if (count)
        list.items = arena_take(arena, count * bytes);
    while (view_next_in_list(&text, &item)) {
        int error =
            config_value_parse(field, item, arena, (char *)list.items + list.count * bytes, why);

        if (error < 0)
            return error;
        list.count++;
    }
    memcpy(place, &list, sizeof(list));
    return 0;
}

static size_t place_bytes(enum config_type type)
{
    if (types[type].item_bytes)
        return sizeof(struct config_list);
    if (type == CONFIG_BOOL)
        return sizeof(bool);
    if (type == CONFIG_SIZE)
        return sizeof(uint64_t);
    if (type >= CONFIG_TEXT)
        return sizeof(char *);
    return sizeof(uint32_t);
}

void config_value_set_default(const struct config_field *field, struct arena *arena, void *place)
{
    int error;

    memset(place, 0, place_bytes(field->type));
    if (!field->fallback)
        return;
    error = types[field->type].item_bytes
                ? config_value_parse_list(field, view_of(field->fallback), arena, place, NULL)
                : config_value_parse(field, view_of(field->fallback), arena, place, NULL);
    assert(error == 0);
    (void)error;
}

bool config_value_print(const struct config_field *field, const void *place, struct buffer *out)
{
    if (types[field->type].is_map) {
        place = field->type == CONFIG_WEIGHTS
                    ? (const void *)&((const struct config_weight *)place)->weight
                    : (const void *)&((const struct config_pair *)place)->value;
    }
    if (field->special && special_read(field, place) == field->special_value) {
        put_text(out, field->special);
        return true;
    }
    return types[field->type].print(field, place, out);
}

/* The ends of the range in the field's own notation. */
static void put_range(const struct config_field *field, struct buffer *out)
{
    const uint64_t ends[] = {field->least, field->most};

    for (size_t i = 0; i < 2; i++) {
        uint32_t narrow = (uint32_t)ends[i];

        put_text(out, i ? " to " : " from ");
        if (field->type == CONFIG_SIZE)
            types[field->type].print(field, &ends[i], out);
        else
            types[field->type].print(field, &narrow, out);
    }
}

static bool has_range(enum config_type type)
{
    return type == CONFIG_INTEGER || type == CONFIG_DURATION || type == CONFIG_SIZE ||
           type == CONFIG_FACTOR || type == CONFIG_PERCENT || type == CONFIG_WEIGHTS;
}

void config_value_expectation(const struct config_field *field, struct buffer *out)
{
    put_text(out, types[field->type].noun);
    for (unsigned i = 0; field->words && field->words[i]; i++) {
        put_text(out, i ? ", " : " ");
        put_text(out, field->words[i]);
    }
    if (has_range(field->type))
        put_range(field, out);
    if (types[field->type].example) {
        put_text(out, ", such as ");
        put_text(out, types[field->type].example);
    }
    if (field->special) {
        put_text(out, ", or ");
        put_text(out, field->special);
    }
}

/* The word that was most likely meant, or NULL. */
static const char *nearest_word(const struct config_field *field, struct view found)
{
    const char *nearest = NULL;
    unsigned least = NEAR_MAX + 1;

    for (unsigned i = 0; field->words && field->words[i]; i++) {
        struct view word = view_of(field->words[i]);
        unsigned distance = config_field_distance(word, found, NEAR_MAX);

        if (distance < least && distance * 2 <= word.size) {
            least = distance;
            nearest = field->words[i];
        }
    }
    return nearest;
}

int config_value_refuse(const struct config_field *field, struct view found, struct error *why)
{
    const char *near = nearest_word(field, found);
    char shown[FOUND_BYTES_MAX * ESCAPE_GROWTH_MAX + 1] = "";
    struct buffer expected;
    int code;

    escape_json(view_first(found, FOUND_BYTES_MAX), shown, sizeof(shown) - 1);
    buffer_init(&expected, EXPECT_BYTES_MAX);
    config_value_expectation(field, &expected);
    code = error_set(why, -EINVAL, "expected %.*s, found \"%s\"%s%s%s",
                     VIEW_ARGUMENTS(buffer_view(&expected)), shown, near ? "; did you mean \"" : "",
                     near ? near : "", near ? "\"?" : "");
    buffer_finish(&expected);
    return code;
}
