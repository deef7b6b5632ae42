#include "load/load_options.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"
#include "config/config_measure.h"
#include "load/load_url.h"

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

/* ---- values ---- */

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

/* Into microseconds. */
static int take_us(const struct options_row *row, const char *text, struct error *why)
{
    char name[OPTIONS_NAME_BYTES];
    uint64_t ms = 0;
    int result = take_time(text, options_name(row, name), row->least, &ms, why);

    if (result == 0)
        *(uint64_t *)row->value = ms * CLOCK_US_PER_MS;
    return result;
}

static int take_ms(const struct options_row *row, const char *text, struct error *why)
{
    char name[OPTIONS_NAME_BYTES];
    uint64_t ms = 0;
    int result = take_time(text, options_name(row, name), row->least, &ms, why);

    if (result == 0)
        *(uint32_t *)row->value = (uint32_t)ms;
    return result;
}

static int take_rate(const struct options_row *row, const char *text, struct error *why)
{
    char *end = NULL;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= LOAD_RUN_RATE_MAX))
        return error_set(why, -EINVAL, "--rate is '%s': expected requests a second, up to %.0f",
                         text, LOAD_RUN_RATE_MAX);
    *(double *)row->value = value;
    return 0;
}

static int take_field(const struct options_row *row, const char *text, struct error *why)
{
    struct given *given = row->value;

    if (!strchr(text, ':'))
        return error_set(why, -EINVAL, "the header '%s' has no ':'", text);
    if (given->field_count == FIELDS_MAX)
        return error_set(why, -EINVAL, "at most %d headers can be given", FIELDS_MAX);
    given->fields[given->field_count++] = text;
    return 0;
}

static int read_options(int argc, char **argv, struct given *given, struct load_options *options,
                        struct error *why)
{
    struct load_plan *plan = &options->plan;
    const struct options_row rows[] = {
        {"body", 0, options_text, &given->body, 0, 0},
        {"body-bytes", 0, options_text, &given->body_bytes, 0, 0},
        {"connections", 'c', options_count, &plan->connections, 1, LOAD_RUN_CONNECTIONS_MAX},
        {"csv", 0, options_choice, &options->format, 0, LOAD_CSV},
        {"duration", 'd', take_us, &plan->duration_us, 1, 0},
        {"header", 'H', take_field, given, 0, 0},
        {"help", 'h', options_flag, &options->wants_help, 0, 0},
        {"json", 0, options_choice, &options->format, 0, LOAD_JSON},
        {"key-header", 0, options_text, &given->key_header, 0, 0},
        {"keys", 0, options_text, &given->keys, 0, 0},
        {"method", 'X', options_text, &given->method, 0, 0},
        {"no-keepalive", 0, options_flag, &plan->is_closing, 0, 0},
        {"quiet", 'q', options_flag, &options->is_quiet, 0, 0},
        {"rate", 'R', take_rate, &plan->rate, 0, 0},
        {"requests", 'n', options_number, &plan->requests, 1, REQUESTS_MAX},
        {"seed", 0, options_number, &options->seed, 0, UINT64_MAX},
        {"series", 0, take_us, &plan->moment_us, MOMENT_MIN_MS, 0},
        {"timeout", 0, take_ms, &plan->timeout_ms, 1, 0},
        {"warm-up", 0, take_us, &plan->warm_up_us, 0, 0},
        {0},
    };
    int first = 0;
    int result = options_read(argc, argv, rows, "load", &first, why);

    if (result < 0 || options->wants_help)
        return result;
    if (first == argc)
        return error_set(why, -EINVAL, "a URL is missing; roost load --help");
    options->url = argv[first];
    if (first + 1 < argc)
        return error_set(why, -EINVAL, "'%s' after the URL is not understood", argv[first + 1]);
    return 0;
}

/* ---- the plan ---- */

static int read_body_file(const char *path, struct load_options *options, struct error *why)
{
    FILE *file = fopen(path, "re");
    size_t size;
    int problem;

    if (!file)
        return error_set(why, -errno, "%s: %m", path);
    options->body = memory_allocate(BODY_BYTES_MAX + 1);
    size = fread(options->body, 1, BODY_BYTES_MAX + 1, file);
    problem = ferror(file) ? errno : 0;
    fclose(file);
    if (problem)
        return error_set(why, -problem, "%s: %s", path, strerror(problem));
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
    if (options_take_number(given->body_bytes, "--body-bytes", 0, BODY_BYTES_MAX, &size, why) < 0)
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
    if (options->plan.is_closing && load_template_close(head, why) < 0)
        return -EINVAL;
    return load_url_resolve(&url, &options->plan.address, why);
}

static void fill_defaults(struct load_plan *plan)
{
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

    *options = (struct load_options){.seed = random_next()};
    load_template_init(&options->head);
    result = read_options(argc, argv, &given, options, why);
    if (result == 0 && options->wants_help)
        return 0;
    if (result == 0) {
        fill_defaults(&options->plan);
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
