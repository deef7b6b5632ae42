/*
 * What placement costs: for every scheme at 3, 10, 100 and 1,000 replicas the look-up with and
 * without its hash, a full build, one change, a plan, memory; beside what others publish.
 *
 * usage: balance_bench [--json]
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "balance/balance_builder.h"

#define KEYS          8192 /* with as many slots: the whole table of 512 KiB, out of level 2 */
#define KEYS_HOT      256  /* their slots stay in level 1 */
#define KEY_BYTES     8
#define LOOKUPS       (1u << 17)
#define CHANGES       100
#define BUILD_TIME_MS 200
#define MEMBERS_MAX   1001
#define ROUNDS        60

struct result {
    double lookup_ns;  /* hash and owner, keys independent */
    double owner_ns;   /* the owner of a hash that is there */
    double latency_ns; /* hash and owner, each key waiting for the answer before, slots at hand */
    double far_ns;     /* the same with more slots than level 1 of the cache holds */
    double build_ms;
    double come_ms;   /* one more, the image written */
    double go_ms;     /* one less */
    double plan_ms;   /* one more, priced and not done */
    double table_kib; /* what a look-up may touch */
};

static char names[MEMBERS_MAX][24];
static struct balance_member members[MEMBERS_MAX];
static char keys[KEYS][KEY_BYTES];
static volatile uint64_t sink;

/* Of the processor, so that others on the machine count less. */
static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void stop_if(int answer, const struct error *why)
{
    if (answer == 0)
        return;
    fprintf(stderr, "balance_bench: %s\n", why->text);
    exit(1);
}

/* The least of what was measured is what it costs undisturbed. */
static double lesser(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

static double measure_lookup(const struct balance_image *image, struct balance_load *load)
{
    uint64_t sum = 0;
    double start = now_ms();

    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct view key = {keys[i % KEYS], 6};

        sum += balance_owner(image, balance_hash(image, key, load), 0, load);
    }
    sink += sum;
    return (now_ms() - start) * 1e6 / LOOKUPS;
}

static double measure_owner(const struct balance_image *image, struct balance_load *load)
{
    static uint64_t hashes[KEYS];
    uint64_t sum = 0;
    double start;

    for (unsigned i = 0; i < KEYS; i++)
        hashes[i] = balance_hash(image, (struct view){keys[i], 6}, load);
    start = now_ms();
    for (unsigned i = 0; i < LOOKUPS; i++)
        sum += balance_owner(image, hashes[i % KEYS], 0, load);
    sink += sum;
    return (now_ms() - start) * 1e6 / LOOKUPS;
}

/* Where a key lies is only known with the answer before: an index below 2^15 adds nothing, and
 * neither compiler nor processor can know that. */
static double measure_latency(const struct balance_image *image, struct balance_load *load,
                              unsigned hot)
{
    unsigned owner = 0;
    double start = now_ms();

    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct view key = {keys[i % hot] + (owner >> 15), 6};

        owner = balance_owner(image, balance_hash(image, key, load), 0, load);
    }
    sink += owner;
    return (now_ms() - start) * 1e6 / LOOKUPS;
}

static double measure_build(const struct balance_options *options, size_t count)
{
    double least = 0;
    double start = now_ms();

    while (least == 0 || now_ms() - start < BUILD_TIME_MS) {
        struct balance_image *image;
        struct error why;
        double begin = now_ms();

        stop_if(balance_build(options, members, count, &image, &why), &why);
        least = lesser(least, now_ms() - begin);
        balance_destroy(image);
    }
    return least;
}

/* One comes and one goes, by turns; the coming priced before it is done. */
static void measure_changes(const struct balance_options *options, size_t count,
                            struct result *result)
{
    struct balance_builder *builder;
    struct error why;
    bool is_keyed;

    stop_if(balance_builder_create(options, &builder, &why), &why);
    stop_if(balance_builder_set(builder, members, count, &why), &why);
    is_keyed = balance_is_keyed(balance_builder_image(builder));
    for (unsigned i = 0; i < CHANGES; i++) {
        struct balance_plan plan = {0};
        double start = now_ms();

        if (is_keyed) {
            stop_if(balance_builder_plan(builder, members, count + 1, &plan, &why), &why);
            result->plan_ms = lesser(result->plan_ms, now_ms() - start);
        }
        balance_plan_finish(&plan);
        start = now_ms();
        stop_if(balance_builder_set(builder, members, count + 1, &why), &why);
        result->come_ms = lesser(result->come_ms, now_ms() - start);
        start = now_ms();
        stop_if(balance_builder_set(builder, members + i % 2, count, &why), &why);
        result->go_ms = lesser(result->go_ms, now_ms() - start);
        stop_if(balance_builder_set(builder, members, count, &why), &why);
    }
    balance_builder_destroy(builder);
}

static void measure(const struct balance_options *options, size_t count, struct result *result)
{
    struct balance_image *image;
    uint32_t *in_flight = calloc(count, sizeof(*in_flight));
    struct balance_load load = {.in_flight = in_flight};
    struct error why;

    *result = (struct result){0};
    stop_if(balance_build(options, members, count, &image, &why), &why);
    for (unsigned i = 0; i < ROUNDS; i++) {
        result->lookup_ns = lesser(result->lookup_ns, measure_lookup(image, &load));
        result->owner_ns = lesser(result->owner_ns, measure_owner(image, &load));
        result->latency_ns = lesser(result->latency_ns, measure_latency(image, &load, KEYS_HOT));
        result->far_ns = lesser(result->far_ns, measure_latency(image, &load, KEYS));
    }
    result->table_kib = image->table_bytes / 1024.0;
    balance_destroy(image);
    result->build_ms = measure_build(options, count);
    measure_changes(options, count, result);
    free(in_flight);
}

static void print_row(const char *scheme, uint32_t slots, size_t count, const struct result *result,
                      bool is_json, bool is_first)
{
    const char *row = is_json ? "%s\n  {\"scheme\":\"%s\",\"slots\":%u,\"replicas\":%zu,"
                                "\"lookup_ns\":%.2f,\"owner_ns\":%.2f,\"latency_ns\":%.2f,"
                                "\"far_ns\":%.2f,\"build_ms\":%.3f,\"come_ms\":%.3f,"
                                "\"go_ms\":%.3f,\"plan_ms\":%.3f,\"table_kib\":%.1f}"
                              : "%s| %s | %u | %zu | %.2f | %.2f | %.2f | %.2f | %.3f | %.3f | "
                                "%.3f | %.3f | %.1f |\n";

    printf(row, is_json && !is_first ? "," : "", scheme, slots, count, result->lookup_ns,
           result->owner_ns, result->latency_ns, result->far_ns, result->build_ms, result->come_ms,
           result->go_ms, result->plan_ms, result->table_kib);
    fflush(stdout);
}

static void print_published(void)
{
    puts("\nPublished by others, on their machines:\n"
         "  partition table with bounded loads, Go (buraksezer/consistent)   10.4 ns a look-up\n"
         "  jump hash with indirection                                       28-54 ns a look-up\n"
         "  Envoy: Maglev 65,537                                             3 ms a build\n"
         "  Envoy: ring of 65,536 points                                     9 ms a build");
}

/* Every scheme at every size, and slot-hrw with the slots advised for the large ones. */
int main(int argc, char **argv)
{
    static const size_t counts[] = {3, 10, 100, 1000};
    bool is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    bool is_first = true;
    const char *scheme;

    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "Server %u", i + 1);
        members[i] = (struct balance_member){names[i], 1, i + 1};
    }
    for (unsigned i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof(keys[i]), "%06u", i * 7919u % 1000000u);
    if (is_json)
        printf("[");
    else
        puts(
            "| scheme | slots | replicas | look-up ns | without hash | latency ns | from level 2 | "
            "build ms | come ms | go ms | plan ms | table KiB |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (unsigned number = 0; (scheme = balance_scheme_name(number)); number++) {
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
            struct balance_options options = BALANCE_OPTIONS;
            struct result result;

            options.scheme = scheme;
            options.slots = strcmp(scheme, "slot-hrw") == 0 && counts[i] == 1000 ? 1048576 : 0;
            if (strcmp(scheme, "classic") == 0 && counts[i] > 50)
                options.slots = 65536;
            measure(&options, counts[i], &result);
            print_row(scheme, options.slots, counts[i], &result, is_json, is_first);
            is_first = false;
        }
    }
    if (is_json)
        puts("\n]");
    else
        print_published();
    return 0;
}
