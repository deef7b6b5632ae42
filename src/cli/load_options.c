#include "cli/load_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/load_url.h"
#include "control/config_measure.h"

#define CONNECTIONS_DEFAULT      64
#define CONNECTIONS_OPEN_DEFAULT 1000
#define DURATION_DEFAULT_MS      10000
#define TIMEOUT_DEFAULT_MS       10000
#define TIME_MAX_MS              (24 * 3600 * UINT64_C(1000))
#define MOMENT_MIN_MS            1
#define REQUESTS_MAX             UINT64_C(1000000000000)
#define BODY_BYTES_MAX           (64 * 1024 * 1024)
#define FIELDS_MAX               64
#define KEY_HEADER_DEFAULT       "X-Request-ID"

/* What was given, before a plan is made of it. */
struct given {
    const char *method;
    const char *body;
    const char *body_bytes;
    const char *keys;
    const char *key_header;
    const char *fields[FIELDS_MAX];
    unsigned field_count;
    bool is_closing;
    bool has_seed;
};

static const char help[] =
    "usage: roost load URL [OPTION...]\n"
    "\n"
    "Sends requests and says how they were answered. Closed: -c connections send one request "
    "after\n"
    "the other. Open (--rate): requests are due at fixed times whatever the answers do, and their\n"
    "latency counts from then, so that a stall shows as what its users would see.\n"
    "\n"
    "  -c, --connections N    requests at once (64; with --rate at most 1000)\n"
    "  -n, --requests N       so many requests\n"
    "  -d, --duration TIME    so long, such as 10s or 500ms (10s where there is no -n either)\n"
    "  -R, --rate R           open: so many requests a second\n"
    "      --warm-up TIME     before: sent, not counted\n"
    "      --timeout TIME     for one request (10s)\n"
    "      --no-keepalive     a connection for each request\n"
    "  -X, --method METHOD    GET; with a body POST\n"
    "      --body TEXT        what is sent; @FILE is a file's content\n"
    "      --body-bytes N     N bytes of a body\n"
    "  -H, --header 'N: V'    one more header\n"
    "      --keys PATTERN     a key for each request: unique, random (six digits),\n"
    "                         zipf:EXPONENT:KEYS, file:PATH. It stands where the URL or a header\n"
    "                         says {key}, else in a header of its own\n"
    "      --key-header NAME  that header (X-Request-ID)\n"
    "      --seed N           makes the keys repeatable\n"
    "      --series TIME      with --json: a time line in pieces of that length\n"
    "      --json, --csv      instead of a table\n"
    "  -q, --quiet            no progress\n";

void load_options_help(FILE *out)
{
    fputs(help, out);
}

/* Values of options without a letter. */
enum {
    OPTION_BODY = 256,
    OPTION_BODY_BYTES,
    OPTION_CSV,
    OPTION_JSON,
    OPTION_KEYS,
    OPTION_KEY_HEADER,
    OPTION_NO_KEEPALIVE,
    OPTION_SEED,
    OPTION_SERIES,
    OPTION_TIMEOUT,
    OPTION_WARM_UP
};

static const struct option known[] = {
    {"body", required_argument, NULL, OPTION_BODY},
    {"body-bytes", required_argument, NULL, OPTION_BODY_BYTES},
    {"connections", required_argument, NULL, 'c'},
    {"csv", no_argument, NULL, OPTION_CSV},
    {"duration", required_argument, NULL, 'd'},
    {"header", required_argument, NULL, 'H'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"key-header", required_argument, NULL, OPTION_KEY_HEADER},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"method", required_argument, NULL, 'X'},
    {"no-keepalive", no_argument, NULL, OPTION_NO_KEEPALIVE},
    {"quiet", no_argument, NULL, 'q'},
    {"rate", required_argument, NULL, 'R'},
    {"requests", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"series", required_argument, NULL, OPTION_SERIES},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"warm-up", required_argument, NULL, OPTION_WARM_UP},
    {0},
};

/* ---- values ---- */

static int take_number(const char *text, const char *what, uint64_t least, uint64_t most,
                       uint64_t *number, struct error *why)
{
    uint64_t value = 0;

    if (view_to_number(view_of(text), most, &value) < 0 || value < least)
        return error_set(why, -EINVAL, "%s is '%s': expected a number from %llu to %llu", what,
                         text, (unsigned long long)least, (unsigned long long)most);
    *number = value;
    return 0;
}

/* A plain number is seconds. */
static int take_time(const char *text, const char *what, uint64_t least_ms, uint64_t *ms,
                     struct error *why)
{
    uint64_t value = 0;

    if (view_to_number(view_of(text), TIME_MAX_MS / 1000, &value) == 0)
        value *= 1000;
    else if (config_measure_parse_duration(view_of(text), &value) < 0 || value > TIME_MAX_MS)
        return error_set(why, -EINVAL, "%s is '%s': expected a time such as 10s or 500ms", what,
                         text);
    if (value < least_ms)
        return error_set(why, -EINVAL, "%s is '%s': at least %llums", what, text,
                         (unsigned long long)least_ms);
    *ms = value;
    return 0;
}

static int take_us(const char *text, const char *what, uint64_t least_ms, uint64_t *us,
                   struct error *why)
{
    int result = take_time(text, what, least_ms, us, why);

    *us *= CLOCK_US_PER_MS;
    return result;
}

static int take_rate(const char *text, double *rate, struct error *why)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= LOAD_RUN_RATE_MAX))
        return error_set(why, -EINVAL, "--rate is '%s': expected requests a second, up to %.0f",
                         text, LOAD_RUN_RATE_MAX);
    *rate = value;
    return 0;
}

static int take_field(const char *text, struct given *given, struct error *why)
{
    if (!strchr(text, ':'))
        return error_set(why, -EINVAL, "the header '%s' has no ':'", text);
    if (given->field_count == FIELDS_MAX)
        return error_set(why, -EINVAL, "at most %d headers can be given", FIELDS_MAX);
    given->fields[given->field_count++] = text;
    return 0;
}

static int take_plan(int option, const char *value, struct load_plan *plan, struct error *why)
{
    uint64_t number = 0;
    int result;

    switch (option) {
    case 'c':
        result = take_number(value, "-c", 1, LOAD_RUN_CONNECTIONS_MAX, &number, why);
        plan->connections = (unsigned)number;
        return result;
    case 'd':
        return take_us(value, "-d", 1, &plan->duration_us, why);
    case 'n':
        return take_number(value, "-n", 1, REQUESTS_MAX, &plan->requests, why);
    case 'R':
        return take_rate(value, &plan->rate, why);
    case OPTION_SERIES:
        return take_us(value, "--series", MOMENT_MIN_MS, &plan->moment_us, why);
    case OPTION_TIMEOUT:
        result = take_time(value, "--timeout", 1, &number, why);
        plan->timeout_ms = (uint32_t)number;
        return result;
    default:
        return take_us(value, "--warm-up", 0, &plan->warm_up_us, why);
    }
}

static int take_option(int option, const char *value, struct given *given,
                       struct load_options *options, struct error *why)
{
    switch (option) {
    case 'H':
        return take_field(value, given, why);
    case 'X':
        given->method = value;
        return 0;
    case 'q':
        options->is_quiet = true;
        return 0;
    case OPTION_BODY:
        given->body = value;
        return 0;
    case OPTION_BODY_BYTES:
        given->body_bytes = value;
        return 0;
    case OPTION_CSV:
        options->format = LOAD_CSV;
        return 0;
    case OPTION_JSON:
        options->format = LOAD_JSON;
        return 0;
    case OPTION_KEYS:
        given->keys = value;
        return 0;
    case OPTION_KEY_HEADER:
        given->key_header = value;
        return 0;
    case OPTION_NO_KEEPALIVE:
        given->is_closing = true;
        return 0;
    case OPTION_SEED:
        given->has_seed = true;
        return take_number(value, "--seed", 0, UINT64_MAX, &options->seed, why);
    default:
        return take_plan(option, value, &options->plan, why);
    }
}

static int read_options(int argc, char **argv, struct given *given, struct load_options *options,
                        struct error *why)
{
    int option;

    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":c:d:n:qH:R:X:", known, NULL)) != -1) {
        int result;

        if (option == ':')
            return error_set(why, -EINVAL, "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return error_set(why, -EINVAL, "'%s' is not known; roost load --help",
                             argv[optind - 1]);
        result = take_option(option, optarg, given, options, why);
        if (result < 0)
            return result;
    }
    if (optind == argc)
        return error_set(why, -EINVAL, "a URL is missing; roost load --help");
    options->url = argv[optind];
    if (optind + 1 < argc)
        return error_set(why, -EINVAL, "'%s' after the URL is not understood", argv[optind + 1]);
    return 0;
}

/* ---- the plan ---- */

static int read_body_file(const char *path, struct load_options *options, struct error *why)
{
    FILE *file = fopen(path, "re");
    size_t size;

    if (!file)
        return error_set(why, -errno, "%s: %m", path);
    options->body = memory_allocate(BODY_BYTES_MAX + 1);
    size = fread(options->body, 1, BODY_BYTES_MAX + 1, file);
    fclose(file);
    if (size > BODY_BYTES_MAX)
        return error_set(why, -EFBIG, "%s has more than %d MiB", path,
                         BODY_BYTES_MAX / 1024 / 1024);
    options->plan.body = (struct view){options->body, size};
    return 0;
}

static int make_body(const struct given *given, struct load_options *options, struct error *why)
{
    struct load_plan *plan = &options->plan;
    uint64_t size = 0;

    plan->has_body = given->body || given->body_bytes;
    if (given->body && given->body_bytes)
        return error_set(why, -EINVAL, "--body and --body-bytes exclude each other");
    if (given->body && given->body[0] == '@')
        return read_body_file(given->body + 1, options, why);
    if (given->body)
        plan->body = view_of(given->body);
    if (!given->body_bytes)
        return 0;
    if (take_number(given->body_bytes, "--body-bytes", 0, BODY_BYTES_MAX, &size, why) < 0)
        return -EINVAL;
    options->body = memory_allocate(size + 1);
    memset(options->body, 'x', size);
    plan->body = (struct view){options->body, size};
    return 0;
}

static int add_fields(const struct given *given, struct load_template *head, struct view host,
                      struct error *why)
{
    bool has_host = false;
    int result = 0;

    for (unsigned i = 0; i < given->field_count && result == 0; i++) {
        struct view text = view_of(given->fields[i]);
        struct view name = view_first(text, view_find(text, ':'));

        has_host |= view_equals_nocase(name, VIEW("Host"));
        result = load_template_field(head, name, view_trim(view_after(text, name.size + 1)), why);
    }
    if (result == 0 && !has_host)
        result = load_template_field(head, VIEW("Host"), host, why);
    return result;
}

/* The keys go where the head says {key}; where it does not, into a header of their own. */
static int place_keys(const struct given *given, struct load_options *options, struct error *why)
{
    const char *name = given->key_header ? given->key_header : KEY_HEADER_DEFAULT;
    const char *pattern = given->keys;

    if (!pattern && (given->key_header || options->head.place_count))
        pattern = "unique";
    if (pattern && (given->key_header || !options->head.place_count) &&
        load_template_field(&options->head, view_of(name), VIEW("{key}"), why) < 0)
        return -EINVAL;
    return load_keys_init(&options->keys, pattern, options->seed, why);
}

static int make_head(const struct given *given, struct load_options *options, struct error *why)
{
    const char *method = given->method ? given->method : options->plan.has_body ? "POST" : "GET";
    struct load_template *head = &options->head;
    struct load_url url;

    options->plan.method = head_method(view_of(method));
    if (options->plan.method == METHOD_CONNECT)
        return error_set(why, -EINVAL, "CONNECT asks for a tunnel: roost load sends requests");
    if (load_url_parse(options->url, &url, why) < 0 ||
        load_template_begin(head, method, url.target, why) < 0 ||
        add_fields(given, head, url.host, why) < 0 || place_keys(given, options, why) < 0)
        return -EINVAL;
    options->plan.is_closing = given->is_closing;
    if (given->is_closing && load_template_close(head, why) < 0)
        return -EINVAL;
    return load_url_resolve(&url, &options->plan.address, why);
}

static void fill_defaults(const struct given *given, struct load_options *options)
{
    struct load_plan *plan = &options->plan;

    if (!given->has_seed)
        options->seed = random_next();
    if (!plan->connections)
        plan->connections = plan->rate > 0 ? CONNECTIONS_OPEN_DEFAULT : CONNECTIONS_DEFAULT;
    if (!plan->requests && !plan->duration_us)
        plan->duration_us = DURATION_DEFAULT_MS * CLOCK_US_PER_MS;
    if (!plan->timeout_ms)
        plan->timeout_ms = TIMEOUT_DEFAULT_MS;
}

int load_options_parse(int argc, char **argv, struct load_options *options, struct error *why)
{
    struct given given = {0};
    int result;

    *options = (struct load_options){0};
    load_template_init(&options->head);
    result = read_options(argc, argv, &given, options, why);
    if (result == 0) {
        fill_defaults(&given, options);
        result = make_body(&given, options, why);
    }
    if (result == 0)
        result = make_head(&given, options, why);
    if (result < 0) {
        load_options_finish(options);
        return result;
    }
    options->plan.head = &options->head;
    options->plan.keys = &options->keys;
    return 0;
}

void load_options_finish(struct load_options *options)
{
    load_template_finish(&options->head);
    load_keys_finish(&options->keys);
    free(options->body);
    options->body = NULL;
}
