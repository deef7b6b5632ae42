/*
 * What placement costs: for every scheme at 3, 10, 100 and 1,000 replicas the look-up with and
 * without its hash, a full build, one change, a plan, memory; beside what others publish. Then what
 * a change of the default scheme costs with weights, at the worst of its replicas.
 *
 * usage: balance_bench [--json | --changes]
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
#define WEIGHT_ROUNDS 12
#define MANY          64 /* replicas, from which on a change should cost less than half a millisecond */

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

/* A change of one replica: the worst over who it is, of each the least of many times. */
struct change {
    double come_ms;
    double go_ms;
    double one_ms;     /* weighs one more: the dearer of there and back */
    double tenfold_ms; /* weighs tenfold, the same */
    double plan_ms;    /* the dearest of these, priced and not done */
    double many_ms;    /* the dearest of all going one after the other while there are many left */
    double few_ms;     /* the dearest after that */
    double build_ms;   /* all at once, by a builder that had none */
};

static char names[MEMBERS_MAX][24];
static struct balance_member members[MEMBERS_MAX];
static struct balance_member changed[MEMBERS_MAX];
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

static double time_set(struct balance_builder *builder, const struct balance_member *list,
                       size_t count)
{
    struct error why;
    double start = now_ms();

    stop_if(balance_builder_set(builder, list, count, &why), &why);
    return now_ms() - start;
}

static double time_plan(struct balance_builder *builder, const struct balance_member *list,
                        size_t count)
{
    struct balance_plan plan;
    struct error why;
    double start = now_ms();

    stop_if(balance_builder_plan(builder, list, count, &plan, &why), &why);
    start = now_ms() - start;
    balance_plan_finish(&plan);
    return start;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

/* Worst of what was measured: the least of each change. */
static void note(const struct change *least, struct change *worst)
{
    worst->go_ms = greater(worst->go_ms, least->go_ms);
    worst->come_ms = greater(worst->come_ms, least->come_ms);
    worst->one_ms = greater(worst->one_ms, least->one_ms);
    worst->tenfold_ms = greater(worst->tenfold_ms, least->tenfold_ms);
    worst->plan_ms = greater(worst->plan_ms, least->plan_ms);
}

/* One of `count` goes and comes again. */
static void measure_absence(struct balance_builder *builder, size_t count, size_t who,
                            struct change *worst)
{
    struct change least = {0};
    double plans[2] = {0};

    memcpy(changed, members, count * sizeof(*members));
    changed[who] = changed[count - 1];
    for (unsigned i = 0; i < WEIGHT_ROUNDS; i++) {
        plans[0] = lesser(plans[0], time_plan(builder, changed, count - 1));
        least.go_ms = lesser(least.go_ms, time_set(builder, changed, count - 1));
        plans[1] = lesser(plans[1], time_plan(builder, members, count));
        least.come_ms = lesser(least.come_ms, time_set(builder, members, count));
    }
    least.plan_ms = greater(plans[0], plans[1]);
    note(&least, worst);
}

/* One of `count` weighs something else, and what it did: the dearer of both, and what a plan takes.
 */
static double measure_weight(struct balance_builder *builder, size_t count, size_t who,
                             uint32_t weight, double *plan)
{
    double up = 0;
    double down = 0;

    memcpy(changed, members, count * sizeof(*members));
    changed[who].weight = weight;
    for (unsigned i = 0; i < WEIGHT_ROUNDS; i++) {
        *plan = lesser(*plan, time_plan(builder, changed, count));
        up = lesser(up, time_set(builder, changed, count));
        down = lesser(down, time_set(builder, members, count));
    }
    return greater(up, down);
}

static void measure_change(struct balance_builder *builder, size_t count, size_t who,
                           struct change *worst)
{
    uint32_t weight = members[who].weight;
    struct change least = {0};
    double plan = 0;

    measure_absence(builder, count, who, worst);
    least.one_ms = measure_weight(builder, count, who, weight + 1, &least.plan_ms);
    least.tenfold_ms = measure_weight(builder, count, who, weight * 10, &plan);
    least.plan_ms = greater(least.plan_ms, plan);
    note(&least, worst);
}

/* All but one go, one after the other. */
static void measure_run(struct balance_builder *builder, size_t count, struct change *worst)
{
    static double least[MEMBERS_MAX];

    memset(least, 0, sizeof(least));
    for (unsigned i = 0; i < WEIGHT_ROUNDS; i++) {
        time_set(builder, NULL, 0);
        worst->build_ms = lesser(worst->build_ms, time_set(builder, members, count));
        for (size_t left = count - 1; left > 0; left--)
            least[left] = lesser(least[left], time_set(builder, members, left));
    }
    for (size_t left = count - 1; left > 0; left--) {
        double *run_ms = left < MANY ? &worst->few_ms : &worst->many_ms;

        *run_ms = greater(*run_ms, least[left]);
    }
}

/* Weights of all kinds; the heaviest, the lightest, and some others change. */
static void print_changes(uint32_t slots, const char *weights, size_t count)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_builder *builder;
    struct change worst = {0};
    size_t heaviest = 0;
    size_t lightest = 0;
    struct error why;

    for (size_t i = 0; i < count; i++) {
        heaviest = members[i].weight > members[heaviest].weight ? i : heaviest;
        lightest = members[i].weight < members[lightest].weight ? i : lightest;
    }
    options.slots = slots;
    stop_if(balance_builder_create(&options, &builder, &why), &why);
    stop_if(balance_builder_set(builder, members, count, &why), &why);
    measure_change(builder, count, heaviest, &worst);
    measure_change(builder, count, lightest, &worst);
    measure_change(builder, count, 0, &worst);
    measure_change(builder, count, count / 3, &worst);
    measure_change(builder, count, count - 1, &worst);
    if (slots == BALANCE_SLOTS_DEFAULT)
        measure_run(builder, count, &worst);
    printf("| %u | %s | %zu | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", slots,
           weights, count, worst.come_ms, worst.go_ms, worst.one_ms, worst.tenfold_ms,
           worst.plan_ms, worst.many_ms, worst.few_ms, worst.build_ms);
    fflush(stdout);
    balance_builder_destroy(builder);
}

static void print_all_changes(void)
{
    static const size_t counts[] = {3, 4, 6, 10, 20, 40, 63, 64, 100};
    static const size_t more[] = {8, 80, 300};
    static const char *const kinds[] = {"equal", "1 to 5", "1 to 100", "one tenfold"};

    puts("\n| slots | weights | replicas | come ms | go ms | one more ms | tenfold ms | plan ms | "
         "going, to 64 ms | going on ms | build ms |\n"
         "|---|---|---|---|---|---|---|---|---|---|---|");
    for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
        for (unsigned i = 0; i < MEMBERS_MAX; i++) {
            const uint32_t weights[] = {1, 1 + i * 7 % 5, 1 + i * 7919 % 100, i == 1 ? 10 : 1};

            members[i].weight = weights[kind];
        }
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
            print_changes(BALANCE_SLOTS_DEFAULT, kinds[kind], counts[i]);
        for (size_t i = 0; i < ARRAY_SIZE(more); i++)
            print_changes(BALANCE_SLOTS_DEFAULT * 4, kinds[kind], more[i]);
    }
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
    if (argc > 1 && strcmp(argv[1], "--changes") == 0) {
        print_all_changes();
        return 0;
    }
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
    if (!is_json)
        print_all_changes();
    return 0;
}
