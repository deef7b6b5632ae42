#include "config/config_type.h"

#include <errno.h>
#include <stdio.h>

#include "config/config.h"
#include "config/config_key.h"
#include "config/config_measure.h"
#include "config/config_text.h"

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

static bool is_within(const struct config_field *field, uint64_t number)
{
    return number >= field->least && number <= field->most;
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
    config_measure_print_number(*(const uint32_t *)place, out);
    return true;
}

static int duration_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    uint64_t number;

    (void)arena;
    /* Nothing is nothing in any unit. */
    if (view_equals(text, VIEW("0")))
        return store32(field, 0, place);
    if (config_measure_parse_duration(text, &number) < 0)
        return -EINVAL;
    return store32(field, number, place);
}

static bool duration_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    config_measure_print_duration(*(const uint32_t *)place, out);
    return true;
}

static int size_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    uint64_t number;

    (void)arena;
    if (config_measure_parse_size(text, &number) < 0)
        return -EINVAL;
    if (!is_within(field, number))
        return -EINVAL;
    *(uint64_t *)place = number;
    return 0;
}

static bool size_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    config_measure_print_size(*(const uint64_t *)place, out);
    return true;
}

static int factor_parse(const struct config_field *field, struct view text, struct arena *arena,
                        void *place)
{
    uint64_t number;

    (void)arena;
    if (config_measure_parse_decimal(text, &number) < 0)
        return -EINVAL;
    return store32(field, number, place);
}

static bool factor_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    config_measure_print_decimal(*(const uint32_t *)place, out);
    return true;
}

static int percent_parse(const struct config_field *field, struct view text, struct arena *arena,
                         void *place)
{
    uint64_t number;

    (void)arena;
    if (!text.size || text.data[text.size - 1] != '%')
        return -EINVAL;
    if (config_measure_parse_decimal(view_first(text, text.size - 1), &number) < 0 || number % 100)
        return -EINVAL;
    return store32(field, number / 100, place);
}

static bool percent_print(const struct config_field *field, const void *place, struct buffer *out)
{
    (void)field;
    config_measure_print_decimal((uint64_t) * (const uint32_t *)place * 100, out);
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
    return config_text_is_printable(text, "\t\n\r") ? text_store(text, arena, place) : -EINVAL;
}

static int text_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)field;
    return text.size && config_text_is_printable(text, "") ? text_store(text, arena, place)
                                                           : -EINVAL;
}

static bool text_print(const struct config_field *field, const void *place, struct buffer *out)
{
    const char *text = *(char *const *)place;

    (void)field;
    if (text)
        put_text(out, text);
    return text;
}

static int name_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)field;
    return config_text_is_name(text) ? text_store(text, arena, place) : -EINVAL;
}

static int host_parse(const struct config_field *field, struct view text, struct arena *arena,
                      void *place)
{
    (void)field;
    return config_text_is_host(text) ? text_store(text, arena, place) : -EINVAL;
}

static int url_path_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    (void)field;
    return config_text_is_url_path(text) ? text_store(text, arena, place) : -EINVAL;
}

static int endpoint_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    (void)field;
    return config_text_is_endpoint(text) ? text_store(text, arena, place) : -EINVAL;
}

/* IP:PORT too. */
static int place_parse(const struct config_field *field, struct view text, struct arena *arena,
                       void *place)
{
    if (config_text_is_host_port(text))
        return text_store(text, arena, place);
    return endpoint_parse(field, text, arena, place);
}

static int resolver_parse(const struct config_field *field, struct view text, struct arena *arena,
                          void *place)
{
    (void)field;
    return config_text_is_resolver(text) ? text_store(text, arena, place) : -EINVAL;
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

static const struct config_type_row rows[] = {
    [CONFIG_BOOL] = {bool_parse, bool_print, "true or false", NULL, 0, false, false},
    [CONFIG_INTEGER] = {integer_parse, integer_print, "a whole number", NULL, 0, false, true},
    [CONFIG_DURATION] = {duration_parse, duration_print, "a duration", "500ms or 10s", 0, false,
                         true},
    [CONFIG_SIZE] = {size_parse, size_print, "a size", "32KiB", 0, false, true},
    [CONFIG_FACTOR] = {factor_parse, factor_print, "a number", "1.25", 0, false, true},
    [CONFIG_PERCENT] = {percent_parse, percent_print, "a percentage", "5%", 0, false, true},
    [CONFIG_WORD] = {word_parse, word_print, "one of", NULL, 0, false, false},
    [CONFIG_TEXT] = {text_parse, text_print, "a text", NULL, 0, false, false},
    [CONFIG_NAME] = {name_parse, text_print, NAME_NOUN, NULL, 0, false, false},
    [CONFIG_HOST] = {host_parse, text_print, "a host name", "example.org or *.example.org", 0,
                     false, false},
    [CONFIG_URL_PATH] = {url_path_parse, text_print, "a path", "/api", 0, false, false},
    [CONFIG_ENDPOINT] = {endpoint_parse, text_print, "IP:PORT", "127.0.0.1:5000 or [::1]:5000", 0,
                         false, false},
    [CONFIG_TEXTS] = {any_text_parse, text_print, "a text", NULL, sizeof(char *), false, false},
    [CONFIG_NAMES] = {name_parse, text_print, NAME_NOUN, NULL, sizeof(char *), false, false},
    [CONFIG_HOSTS] = {host_parse, text_print, "a host name", "example.org", sizeof(char *), false,
                      false},
    [CONFIG_DOORS] = {door_parse, text_print, "IP:PORT or the path of a unix socket",
                      "127.0.0.1:5001 or /run/roost/control.sock", sizeof(char *), false, false},
    [CONFIG_RESOLVERS] = {resolver_parse, text_print, "IP or IP:PORT", "10.0.0.2 or 127.0.0.1:5353",
                          sizeof(char *), false, false},
    [CONFIG_NETWORKS] = {network_parse, network_print, "a network", "10.0.0.0/8 or fd00::/8",
                         sizeof(struct config_network), false, false},
    [CONFIG_KEYS] = {key_parse, key_print,
                     "one of header:NAME, cookie:NAME, query:NAME, path, path:N, host, client-ip, "
                     "client-ip/BITS, client-ip/BITS/BITS6, json:/POINTER, random",
                     NULL, sizeof(struct table_key_spec), false, false},
    [CONFIG_ENV] = {any_text_parse, text_print, "a text", NULL, sizeof(struct config_pair), true,
                    false},
    [CONFIG_ENDPOINTS] = {place_parse, text_print, "IP:PORT or NAME:PORT",
                          "127.0.0.1:9001 or app.internal:9001", sizeof(struct config_pair), true,
                          false},
    [CONFIG_WEIGHTS] = {integer_parse, integer_print, "a whole number", NULL,
                        sizeof(struct config_weight), true, true},
};

const struct config_type_row *config_type_row(enum config_type type)
{
    return &rows[type];
}
