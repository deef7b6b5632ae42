#include "config/config_key.h"

#include <assert.h>
#include <errno.h>

#define PATH_SEGMENT_MAX 32
#define PREFIX_MAX       32  /* bits of an IPv4 address */
#define PREFIX6_MAX      128 /* of an IPv6 address */
#define PREFIX6_DEFAULT  64  /* what one customer gets */
#define NAME_BYTES_MAX   256

enum argument { NOTHING, A_TOKEN, A_PARAMETER, A_NUMBER, A_PREFIX, A_POINTER };

struct word {
    struct view text; /* with the sign that comes before the argument */
    enum table_key_kind kind;
    enum argument argument;
};

static const struct word words[] = {
    {VIEW("header:"), TABLE_KEY_HEADER, A_TOKEN},
    {VIEW("cookie:"), TABLE_KEY_COOKIE, A_TOKEN},
    {VIEW("query:"), TABLE_KEY_QUERY, A_PARAMETER},
    {VIEW("path"), TABLE_KEY_PATH, NOTHING},
    {VIEW("path:"), TABLE_KEY_PATH, A_NUMBER},
    {VIEW("host"), TABLE_KEY_HOST, NOTHING},
    {VIEW("client-ip"), TABLE_KEY_CLIENT_IP, NOTHING},
    {VIEW("client-ip/"), TABLE_KEY_CLIENT_IP, A_PREFIX},
    {VIEW("json:"), TABLE_KEY_JSON, A_POINTER},
    {VIEW("random"), TABLE_KEY_RANDOM, NOTHING},
};

/* A token (RFC 9110 5.6.2): the name of a field or cookie. */
static bool is_token(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f ||
            strchr("\"(),/:;<=>?@[\\]{}", text.data[i]))
            return false;
    }
    return true;
}

static bool is_parameter(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f || strchr("&=#", text.data[i]))
            return false;
    }
    return true;
}

/* RFC 6901 3: "/" before each part, "~" only as "~0" or "~1". */
static bool is_pointer(struct view text)
{
    if (text.data[0] != '/')
        return false;
    for (size_t i = 0; i < text.size; i++) {
        bool is_last = i + 1 == text.size;

        if ((unsigned char)text.data[i] < ' ')
            return false;
        if (text.data[i] == '~' &&
            (is_last || (text.data[i + 1] != '0' && text.data[i + 1] != '1')))
            return false;
    }
    return true;
}

static bool is_legal(enum argument argument, struct view text)
{
    if (!text.size || text.size > NAME_BYTES_MAX)
        return false;
    if (argument == A_TOKEN)
        return is_token(text);
    if (argument == A_PARAMETER)
        return is_parameter(text);
    return argument == A_POINTER && is_pointer(text);
}

static int parse_number(struct view text, unsigned most, uint32_t *out)
{
    uint64_t number;

    if (view_to_number(text, most, &number) < 0 || number == 0)
        return -EINVAL;
    *out = (uint32_t)number;
    return 0;
}

/* "24" or "24/56": bits of IPv4 and of IPv6. */
static int parse_prefix(struct view text, struct table_key_spec *source)
{
    size_t slash = view_find(text, '/');

    source->number6 = PREFIX6_DEFAULT;
    if (slash < text.size &&
        parse_number(view_after(text, slash + 1), PREFIX6_MAX, &source->number6) < 0)
        return -EINVAL;
    return parse_number(view_first(text, slash), PREFIX_MAX, &source->number);
}

static int parse_argument(const struct word *word, struct view text, struct arena *arena,
                          struct table_key_spec *source)
{
    struct table_key_spec parsed = {.kind = word->kind};
    int error = 0;

    if (word->argument == A_NUMBER)
        error = parse_number(text, PATH_SEGMENT_MAX, &parsed.number);
    else if (word->argument == A_PREFIX)
        error = parse_prefix(text, &parsed);
    else if (word->argument != NOTHING && !is_legal(word->argument, text))
        error = -EINVAL;
    if (error < 0)
        return error;
    if (is_legal(word->argument, text))
        parsed.text = arena_copy(arena, text);
    *source = parsed;
    return 0;
}

int config_key_parse(struct view text, struct arena *arena, struct table_key_spec *source)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        const struct word *word = &words[i];

        if (word->argument == NOTHING ? !view_equals(text, word->text)
                                      : !view_starts_with(text, word->text))
            continue;
        return parse_argument(word, view_after(text, word->text.size), arena, source);
    }
    return -EINVAL;
}

/* The word that says it: with an argument only where there is one. */
static const struct word *find_word(const struct table_key_spec *source)
{
    bool has_number = source->number && source->kind != TABLE_KEY_RANDOM;

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        bool takes_number = words[i].argument == A_NUMBER || words[i].argument == A_PREFIX;

        if (words[i].kind == source->kind && takes_number == has_number)
            return &words[i];
    }
    return NULL;
}

void config_key_print(const struct table_key_spec *source, struct buffer *out)
{
    const struct word *word = find_word(source);
    int error;

    assert(word);
    if (word->argument == A_NUMBER)
        error = buffer_print(out, "%s%u", word->text.data, source->number);
    else if (word->argument == A_PREFIX)
        error = buffer_print(out, "%s%u/%u", word->text.data, source->number, source->number6);
    else
        error = buffer_print(out, "%s%s", word->text.data, source->text ? source->text : "");
    /* A buffer that is full leaves it off. */
    (void)error;
}
