#include "ring/ring_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/word.h"
#include "ring/ring_cache.h"

#define REPLICAS_DEFAULT 3
#define SLOTS_MIN        2  /* of a classic ring; a table of slot-hrw wants more and says so */
#define NAME_BYTES       24 /* of "Server 16384" and alike */

/* What was given, before it is made into members. */
struct given {
    uint64_t replicas;
    uint64_t slots;
    uint64_t virtual_servers;
    uint64_t first_id;
    const char *names;
    const char *weights;
    const char *keys;
    const char *cap;
    const char *scheme;
    const char *request_hash;
    const char *server_hash;
};

enum kind { KIND_FLAG, KIND_TEXT, KIND_NUMBER };

struct flag {
    const char *name;
    enum kind kind;
    void *value;
    uint64_t min;
    uint64_t max;
};

void ring_options_help(FILE *out)
{
    fputs("  --scheme S             slot-hrw (default), ketama, maglev, classic, round-robin,\n"
          "                         least-conn, p2c\n"
          "  --replicas N           N members named Server 1, Server 2, ... (default 3)\n"
          "  --names A,B,C          their names, kept in that order\n"
          "  --weights 1,2,1        their weights, in that order (default 1)\n"
          "  --slots M              slots of the table or ring\n"
          "  --cap 5 | off          slot-hrw: percent above the fair share\n"
          "  --virtual K            classic: virtual servers of each\n"
          "  --request-hash F       classic: its function for requests\n"
          "  --server-hash F        classic: its function for virtual servers\n"
          "  --first-id I           classic: the id of the first member (default 1)\n"
          "  --keys A-B             count these numbers as keys (classic: 100000-999999)\n"
          "  --add A,B --remove C   plan, compare: the change\n"
          "  --json --csv           instead of a table\n"
          "  --plot FILE            compare: a chart as SVG\n"
          "  --key F --cache N --changes T:+A,T:-B\n"
          "                         replay: the key's field, cache entries, changes at request T\n"
          "  --verbose              slot and virtual server too\n",
          out);
}

int ring_options_fail(const struct error *why)
{
    fprintf(stderr, "roost ring: %s\n", why->text);
    return WORD_FAILED;
}

void ring_options_print_json(const char *text)
{
    char escaped[ESCAPE_GROWTH_MAX * (BALANCE_NAME_BYTES_MAX + 1)];
    struct view rest = view_of(text);

    putchar('"');
    while (rest.size) {
        struct view part = view_first(rest, BALANCE_NAME_BYTES_MAX);

        fwrite(escaped, 1, escape_json(part, escaped, sizeof(escaped)), stdout);
        rest = view_after(rest, part.size);
    }
    putchar('"');
}

static int take_flag(const struct flag *flag, const char *value, struct error *why)
{
    if (flag->kind == KIND_FLAG) {
        *(bool *)flag->value = true;
        return 0;
    }
    if (!value)
        return error_set(why, -EINVAL, "%s needs a value", flag->name);
    if (flag->kind == KIND_TEXT) {
        *(const char **)flag->value = value;
        return 0;
    }
    return options_take_number(value, flag->name, flag->min, flag->max, flag->value, why);
}

/* `--name value` and `--name=value`; whatever does not begin with a dash is an argument. */
static int take_flags(int argc, char **argv, const struct flag *flags, struct ring_options *options,
                      struct error *why)
{
    bool is_over = false;

    for (int i = 1; i < argc; i++) {
        const struct flag *flag = flags;
        size_t size = strcspn(argv[i], "=");
        const char *value = argv[i][size] ? argv[i] + size + 1 : NULL;
        int answer;

        if (is_over || argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
            options->arguments[options->argument_count++] = argv[i];
            continue;
        }
        is_over = strcmp(argv[i], "--") == 0;
        if (is_over)
            continue;
        while (flag->name && (strlen(flag->name) != size || memcmp(flag->name, argv[i], size) != 0))
            flag++;
        if (!flag->name)
            return error_set(why, -EINVAL, "'%s' is not known; see --help", argv[i]);
        if (flag->kind != KIND_FLAG && !value && i + 1 < argc)
            value = argv[++i];
        answer = take_flag(flag, value, why);
        if (answer < 0)
            return answer;
    }
    return 0;
}

static size_t count_elements(const char *list)
{
    size_t count = 1;

    for (; *list; list++)
        count += *list == ',';
    return count;
}

/* Cuts a copy of a list at its commas; `texts` has room for all. */
static void split_list(char *list, const char **texts)
{
    for (char *rest = list, *text; (text = strsep(&rest, ",")); texts++)
        *texts = text;
}

static int take_weights(const char *weights, struct ring_options *options, struct error *why)
{
    size_t count = count_elements(weights);
    struct view rest = view_of(weights);

    if (count != options->count)
        return error_set(why, -EINVAL, "--weights lists %zu weights for %zu members", count,
                         options->count);
    for (size_t i = 0; i < count; i++) {
        struct view text = view_first(rest, view_find(rest, ','));
        uint64_t weight = 0;

        if (view_to_number(text, BALANCE_WEIGHT_MAX, &weight) < 0)
            return error_set(why, -EINVAL, "the weight '%.*s' is none: expected 0 to %d",
                             VIEW_ARGUMENTS(text), BALANCE_WEIGHT_MAX);
        options->members[i].weight = (uint32_t)weight;
        rest = view_after(rest, text.size + 1);
    }
    return 0;
}

static int make_members(const struct given *given, struct ring_options *options, struct error *why)
{
    size_t count = given->names ? count_elements(given->names) : given->replicas;
    const char **texts;

    if (count > BALANCE_MEMBERS_MAX)
        return error_set(why, -EINVAL, "%zu members: at most %d are possible", count,
                         BALANCE_MEMBERS_MAX);
    options->count = count;
    options->members = memory_allocate((count + 1) * sizeof(*options->members));
    options->names =
        given->names ? memory_copy_text(given->names) : memory_allocate((count + 1) * NAME_BYTES);
    texts = memory_allocate((count + 1) * sizeof(*texts));
    if (given->names)
        split_list(options->names, texts);
    for (size_t i = 0; i < count; i++) {
        if (!given->names) {
            texts[i] = options->names + i * NAME_BYTES;
            snprintf(options->names + i * NAME_BYTES, NAME_BYTES, "Server %zu", i + 1);
        }
        options->members[i] = (struct balance_member){texts[i], 1, (uint32_t)(given->first_id + i)};
    }
    free(texts);
    return given->weights ? take_weights(given->weights, options, why) : 0;
}

static int take_keys(const char *keys, struct ring_options *options, struct error *why)
{
    struct view text = view_of(keys);
    size_t dash = view_find(text, '-');

    if (view_to_number(view_first(text, dash), UINT64_MAX, &options->first_key) < 0 ||
        view_to_number(view_after(text, dash + 1), UINT64_MAX, &options->last_key) < 0 ||
        options->last_key < options->first_key)
        return error_set(why, -EINVAL, "--keys is '%s': expected two numbers as in 100000-999999",
                         keys);
    if (options->last_key - options->first_key >= RING_KEYS_MAX)
        return error_set(why, -EINVAL, "--keys is '%s': at most %d keys are counted", keys,
                         RING_KEYS_MAX);
    options->has_keys = true;
    return 0;
}

/* "5", "5%", "2.5" or "off" as hundredths of a percent. */
static int take_cap(const char *cap, struct ring_options *options, struct error *why)
{
    struct view text = view_of(cap);
    size_t point;
    uint64_t whole = 0;
    uint64_t part = 0;
    struct view digits;

    if (strcmp(cap, "off") == 0) {
        options->balance.cap = BALANCE_CAP_OFF;
        return 0;
    }
    if (text.size && text.data[text.size - 1] == '%')
        text.size--;
    point = view_find(text, '.');
    digits = view_first(view_after(text, point + 1), 2);
    if (view_to_number(view_first(text, point), BALANCE_CAP_MAX / 100, &whole) < 0 ||
        (point < text.size && view_to_number(digits, 99, &part) < 0) ||
        view_after(text, point + 1).size > 2)
        return error_set(why, -EINVAL, "--cap is '%s': expected percent, as in 5 or 2.5, or off",
                         cap);
    options->balance.cap = (uint32_t)(whole * 100 + (digits.size == 1 ? part * 10 : part));
    return 0;
}

static int apply(const struct given *given, struct ring_options *options, struct error *why)
{
    int answer = make_members(given, options, why);

    options->balance.scheme = given->scheme;
    options->balance.slots = (uint32_t)given->slots;
    options->balance.virtual_servers = (uint32_t)given->virtual_servers;
    options->balance.request_hash = given->request_hash;
    options->balance.server_hash = given->server_hash;
    if (answer == 0 && given->keys)
        answer = take_keys(given->keys, options, why);
    if (answer == 0 && given->cap)
        answer = take_cap(given->cap, options, why);
    if (answer < 0)
        return answer;
    return balance_check(&options->balance, why);
}

int ring_options_parse(int argc, char **argv, struct ring_options *options, struct error *why)
{
    struct given given = {.replicas = REPLICAS_DEFAULT, .first_id = 1};
    const struct flag flags[] = {
        {"--scheme", KIND_TEXT, &given.scheme, 0, 0},
        {"--replicas", KIND_NUMBER, &given.replicas, 0, BALANCE_MEMBERS_MAX},
        {"--names", KIND_TEXT, &given.names, 0, 0},
        {"--weights", KIND_TEXT, &given.weights, 0, 0},
        {"--slots", KIND_NUMBER, &given.slots, SLOTS_MIN, BALANCE_SLOTS_MAX},
        {"--virtual", KIND_NUMBER, &given.virtual_servers, 1, BALANCE_SLOTS_MAX},
        {"--request-hash", KIND_TEXT, &given.request_hash, 0, 0},
        {"--server-hash", KIND_TEXT, &given.server_hash, 0, 0},
        {"--first-id", KIND_NUMBER, &given.first_id, 0, INT32_MAX},
        {"--cap", KIND_TEXT, &given.cap, 0, 0},
        {"--keys", KIND_TEXT, &given.keys, 0, 0},
        {"--add", KIND_TEXT, &options->add, 0, 0},
        {"--remove", KIND_TEXT, &options->remove, 0, 0},
        {"--key", KIND_TEXT, &options->key, 0, 0},
        {"--changes", KIND_TEXT, &options->changes, 0, 0},
        {"--cache", KIND_NUMBER, &options->cache, 0, RING_CACHES_MAX},
        {"--plot", KIND_TEXT, &options->plot, 0, 0},
        {"--json", KIND_FLAG, &options->is_json, 0, 0},
        {"--csv", KIND_FLAG, &options->is_csv, 0, 0},
        {"--verbose", KIND_FLAG, &options->is_verbose, 0, 0},
        {"--help", KIND_FLAG, &options->is_help, 0, 0},
        {"-h", KIND_FLAG, &options->is_help, 0, 0},
        {NULL, KIND_FLAG, NULL, 0, 0},
    };
    int answer;

    *options = (struct ring_options){.balance = BALANCE_OPTIONS};
    options->arguments = memory_allocate((size_t)argc * sizeof(*options->arguments));
    answer = take_flags(argc, argv, flags, options, why);
    if (answer == 0 && !options->is_help)
        answer = apply(&given, options, why);
    if (answer < 0)
        ring_options_finish(options);
    return answer;
}

void ring_options_finish(struct ring_options *options)
{
    free(options->members);
    free(options->names);
    free(options->arguments);
    *options = (struct ring_options){0};
}
