/* Bounded load: a hot key, slow replicas, several workers that know of each other a little late. */
#include <math.h>

#include "tool.h"

#define MEMBERS  10
#define WORKERS  4
#define KEYS     1000
#define RUNNING  4096 /* most requests at once */
#define BOUND    125
#define FLOOR    16
#define ARRIVALS 60000

struct running {
    unsigned worker;
    unsigned member;
    unsigned ends; /* at this arrival */
};

struct cluster {
    struct balance_image *image;
    uint32_t own[WORKERS][MEMBERS];  /* in flight, exact */
    uint32_t seen[WORKERS][MEMBERS]; /* what a worker takes for all of them */
    struct running running[RUNNING];
    unsigned count;
};

static uint32_t sum_of(const struct cluster *cluster, unsigned member)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < WORKERS; i++)
        sum += cluster->own[i][member];
    return sum;
}

/* The tick: everybody sees what is. */
static void refresh(struct cluster *cluster)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        for (unsigned k = 0; k < MEMBERS; k++)
            cluster->seen[i][k] = sum_of(cluster, k);
    }
}

static void finish_requests(struct cluster *cluster, unsigned now)
{
    for (unsigned i = 0; i < cluster->count;) {
        struct running *running = &cluster->running[i];

        if (running->ends > now) {
            i++;
            continue;
        }
        cluster->own[running->worker][running->member]--;
        cluster->seen[running->worker][running->member]--;
        *running = cluster->running[--cluster->count];
    }
}

/* Zipf with the exponent 1.2, by its inverse over a table of sums. */
static unsigned draw_key(void)
{
    static double sums[KEYS];
    double at;
    unsigned key = 0;

    for (unsigned i = 0; i < KEYS && sums[i] == 0; i++)
        sums[i] = (i ? sums[i - 1] : 0) + pow(i + 1, -1.2);
    at = (double)(random_next() >> 11) / 9007199254740992.0 * sums[KEYS - 1];
    while (sums[key] < at)
        key++;
    return key;
}

struct asking {
    const struct cluster *cluster;
    struct balance_load load;
};

static bool may_use(void *context, unsigned member)
{
    const struct asking *asking = context;

    return !balance_is_over_bound(asking->cluster->image, &asking->load, member, BOUND, FLOOR);
}

static uint64_t hash_of(const struct cluster *cluster, unsigned key)
{
    char text[16];

    snprintf(text, sizeof(text), "key-%u", key);
    return balance_hash(cluster->image, view_of(text), NULL);
}

static uint32_t bound_of(uint64_t total)
{
    uint64_t bound = (BOUND * (total + 1) + 100 * MEMBERS - 1) / (100 * MEMBERS);

    return bound > FLOOR ? (uint32_t)bound : FLOOR;
}

static void build_cluster(struct cluster *cluster)
{
    static const struct balance_member members[MEMBERS] = {
        {"a", 1, 0}, {"b", 1, 0}, {"c", 1, 0}, {"d", 1, 0}, {"e", 1, 0},
        {"f", 1, 0}, {"g", 1, 0}, {"h", 1, 0}, {"i", 1, 0}, {"j", 1, 0}};
    struct balance_options options = tool_options(NULL);

    memset(cluster, 0, sizeof(*cluster));
    cluster->image = tool_build(&options, members, MEMBERS);
}

static struct asking ask(struct cluster *cluster, unsigned worker)
{
    struct asking asking = {cluster, {.in_flight = cluster->seen[worker]}};

    for (unsigned i = 0; i < MEMBERS; i++)
        asking.load.total += cluster->seen[worker][i];
    return asking;
}

static void start_request(struct cluster *cluster, unsigned now, unsigned worker, unsigned member)
{
    /* Two replicas of ten are twenty times as slow. */
    unsigned length = (member < 2 ? 4000 : 200) * (unsigned)(50 + random_below(100)) / 100;

    assert_true(cluster->count < RUNNING);
    cluster->own[worker][member]++;
    cluster->seen[worker][member]++;
    cluster->running[cluster->count++] = (struct running){worker, member, now + length};
}

static void no_replica_is_above_its_bound_by_more_than_one_a_worker(void **state)
{
    static struct cluster cluster;
    uint32_t fullest = 0;

    (void)state;
    random_seed(17);
    build_cluster(&cluster);
    for (unsigned now = 0; now < ARRIVALS; now++) {
        unsigned worker = now % WORKERS;
        struct asking asking;
        unsigned rank = 0;
        unsigned member;

        if (now % WORKERS == 0)
            refresh(&cluster);
        finish_requests(&cluster, now);
        asking = ask(&cluster, worker);
        member = balance_pick(cluster.image, hash_of(&cluster, draw_key()), NULL, may_use, &asking,
                              &rank);
        assert_int_not_equal(member, BALANCE_NONE);
        start_request(&cluster, now, worker, member);
        assert_true(sum_of(&cluster, member) <= bound_of(cluster.count + WORKERS) + WORKERS);
        fullest = sum_of(&cluster, member) > fullest ? sum_of(&cluster, member) : fullest;
    }
    assert_true(fullest >= FLOOR); /* the bound was reached at all */
    balance_destroy(cluster.image);
}

static void the_spill_of_a_key_is_always_the_same_replica(void **state)
{
    static struct cluster cluster;
    unsigned spills = 0;

    (void)state;
    random_seed(18);
    build_cluster(&cluster);
    for (unsigned now = 0; now < ARRIVALS; now++) {
        struct asking asking;
        unsigned rank = 0;
        unsigned member;
        unsigned key = draw_key();

        finish_requests(&cluster, now);
        refresh(&cluster);
        asking = ask(&cluster, 0);
        member = balance_pick(cluster.image, hash_of(&cluster, key), NULL, may_use, &asking, &rank);
        assert_int_equal(member, balance_owner(cluster.image, hash_of(&cluster, key), rank, NULL));
        for (unsigned i = 0; i < rank; i++)
            assert_false(
                may_use(&asking, balance_owner(cluster.image, hash_of(&cluster, key), i, NULL)));
        spills += rank > 0;
        start_request(&cluster, now, 0, member);
        assert_true(sum_of(&cluster, member) <= bound_of(cluster.count - 1));
    }
    assert_in_range(spills, 100, ARRIVALS);
    balance_destroy(cluster.image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_replica_is_above_its_bound_by_more_than_one_a_worker),
        cmocka_unit_test(the_spill_of_a_key_is_always_the_same_replica),
    };

    return cmocka_run_group_tests_name("balance/balance_bound", tests, NULL, NULL);
}
