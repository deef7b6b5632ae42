#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "proxy/segments.h"

/* ---- latency buckets ---- */

static void buckets_begin_where_they_say(void **state)
{
    static const uint64_t first[] = {0, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(first); i++)
        assert_int_equal(segments_bucket_us(i), first[i]);
    for (unsigned bucket = 1; bucket < COUNT_BUCKETS; bucket++) {
        uint64_t begin = segments_bucket_us(bucket);

        assert_true(begin > segments_bucket_us(bucket - 1));
        assert_int_equal(segments_bucket(begin), bucket);
        assert_int_equal(segments_bucket(begin - 1), bucket - 1);
    }
}

static void every_latency_has_a_bucket(void **state)
{
    unsigned before = 0;

    (void)state;
    for (uint64_t us = 0; us < 100000; us++) {
        unsigned bucket = segments_bucket(us);

        assert_true(bucket == before || bucket == before + 1);
        before = bucket;
    }
    assert_int_equal(segments_bucket(0), 0);
    assert_int_equal(segments_bucket(UINT64_MAX), COUNT_BUCKETS - 1);
    /* Longer than any default time-out, and not yet "the rest". */
    assert_true(segments_bucket(50 * UINT64_C(1000000)) < COUNT_BUCKETS - 1);
}

static void a_bucket_is_at_most_a_quarter_wide(void **state)
{
    (void)state;
    for (unsigned bucket = 1; bucket + 1 < COUNT_BUCKETS; bucket++) {
        uint64_t begin = segments_bucket_us(bucket);

        assert_true((segments_bucket_us(bucket + 1) - begin) * 4 <= begin);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Against the sorted samples themselves. */
static void quantiles_agree_with_the_exact_ones(void **state)
{
    enum { MANY = 5000 };
    static const unsigned permilles[] = {1, 100, 500, 900, 990, 999, 1000};
    static uint64_t samples[MANY];

    (void)state;
    random_seed(5);
    for (unsigned round = 0; round < 20; round++) {
        uint64_t counts[COUNT_BUCKETS] = {0};
        unsigned many = round < 5 ? round + 1 : MANY;

        for (unsigned i = 0; i < many; i++) {
            samples[i] = random_below(UINT64_C(1) << (1 + random_below(25)));
            counts[segments_bucket(samples[i])]++;
        }
        qsort(samples, many, sizeof(samples[0]), compare);
        for (unsigned i = 0; i < ARRAY_SIZE(permilles); i++) {
            uint64_t exact = samples[(many * permilles[i] + 999) / 1000 - 1];
            uint64_t answer = segments_quantile_us(counts, permilles[i]);

            assert_true(answer > exact);
            assert_true(answer <= 64 || answer <= exact + exact / 4 + 1);
        }
    }
}

static void without_requests_there_is_no_latency(void **state)
{
    uint64_t counts[COUNT_BUCKETS] = {0};

    (void)state;
    assert_int_equal(segments_quantile_us(counts, 500), 0);
    counts[COUNT_BUCKETS - 1] = 1;
    assert_int_equal(segments_quantile_us(counts, 500), segments_bucket_us(COUNT_BUCKETS - 1));
}

/* ---- the state segment ---- */

static void what_the_keeper_says_the_workers_read(void **state)
{
    const struct state_segment *seen;
    struct state_segment *own;
    struct error why = {0};
    int fd;

    (void)state;
    assert_int_equal(segments_create_state(&fd, &own, &why), 0);
    assert_int_equal(segments_map_state(fd, &seen, &why), 0);
    assert_int_equal(segments_state(seen, 0, 0), SEAT_EMPTY);
    assert_int_equal(segments_state(seen, 0, 1), SEAT_DEAD);
    for (int word = SEAT_EMPTY; word <= SEAT_DEAD; word++) {
        uint64_t changes = SEGMENTS_READ(seen->changes);

        segments_set_state(own, TABLE_REPLICAS_MAX - 1, 77, (enum seat_state)word);
        assert_int_equal(segments_state(seen, TABLE_REPLICAS_MAX - 1, 77), word);
        assert_int_equal(SEGMENTS_READ(seen->changes), changes + 1);
    }
    SEGMENTS_SET(own->seats[3].in_flight, 9);
    SEGMENTS_SET(own->in_flight, 12);
    SEGMENTS_SET(own->is_draining, 1);
    assert_int_equal(SEGMENTS_READ(seen->seats[3].in_flight), 9);
    assert_int_equal(SEGMENTS_READ(seen->in_flight), 12);
    assert_int_equal(SEGMENTS_READ(seen->is_draining), 1);
    segments_unmap_state(seen);
    segments_unmap_state(own);
    close(fd);
}

static void the_state_of_another_incarnation_is_not_mine(void **state)
{
    struct state_segment *own;
    int fd;

    (void)state;
    assert_int_equal(segments_create_state(&fd, &own, NULL), 0);
    segments_set_state(own, 5, 2, SEAT_UP);
    assert_int_equal(segments_state(own, 5, 1), SEAT_DEAD);
    assert_int_equal(segments_state(own, 5, 3), SEAT_DEAD);
    assert_int_equal(segments_state(own, 5, 2), SEAT_UP);
    assert_int_equal(segments_state(own, 6, 2), SEAT_DEAD);
    /* The word has room for 24 bits of it: they wrap together. */
    segments_set_state(own, 5, 0x01000003, SEAT_UP);
    assert_int_equal(segments_state(own, 5, 0x01000003), SEAT_UP);
    segments_unmap_state(own);
    close(fd);
}

static void one_that_is_being_healed_is_expected_whatever_its_incarnation(void **state)
{
    struct state_segment *own;
    uint64_t changes;
    int fd;

    (void)state;
    assert_int_equal(segments_create_state(&fd, &own, NULL), 0);
    segments_set_state(own, 5, 2, SEAT_DEAD);
    assert_false(segments_is_returning(own, 5));
    changes = SEGMENTS_READ(own->changes);
    segments_set_returning(own, 5, 3, SEAT_STARTING);
    assert_int_equal(SEGMENTS_READ(own->changes), changes + 1);
    assert_true(segments_is_returning(own, 5));
    assert_false(segments_is_returning(own, 6));
    assert_int_equal(segments_state(own, 5, 2), SEAT_DEAD);
    assert_int_equal(segments_state(own, 5, 3), SEAT_STARTING);
    segments_set_state(own, 5, 3, SEAT_UP);
    assert_false(segments_is_returning(own, 5));
    segments_unmap_state(own);
    close(fd);
}

static void nobody_but_the_keeper_writes_states(void **state)
{
    const size_t bytes = sizeof(struct state_segment);
    const struct state_segment *seen;
    struct state_segment *own;
    int fd;

    (void)state;
    assert_int_equal(segments_create_state(&fd, &own, NULL), 0);
    assert_ptr_equal(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(segments_map_state(fd, &seen, NULL), 0);
    assert_int_equal(mprotect((void *)seen, bytes, PROT_READ | PROT_WRITE), -1);
    segments_unmap_state(seen);
    segments_unmap_state(own);
    close(fd);
}

/* ---- the count segment ---- */

static void what_a_worker_counts_the_keeper_reads(void **state)
{
    const struct count_segment *seen;
    struct count_segment *own;
    struct error why = {0};
    int fd;

    (void)state;
    assert_int_equal(segments_create_counts(&fd, &seen, &why), 0);
    assert_int_equal(segments_map_counts(fd, &own, &why), 0);
    for (unsigned i = 0; i < 1000; i++) {
        SEGMENTS_ADD(own->requests, 1);
        SEGMENTS_ADD(own->seats[17].latency[segments_bucket(i)], 1);
    }
    SEGMENTS_ADD(own->in_flight, 5);
    SEGMENTS_ADD(own->in_flight, -2);
    assert_int_equal(SEGMENTS_READ(seen->requests), 1000);
    assert_int_equal(SEGMENTS_READ(seen->seats[17].latency[0]), 64);
    assert_int_equal(SEGMENTS_READ(seen->seats[17].latency[1]), 16);
    assert_int_equal(SEGMENTS_READ(seen->in_flight), 3);
    /* Not even a worker makes the file shorter under the keeper's feet. */
    assert_int_equal(ftruncate(fd, 1), -1);
    segments_unmap_counts(seen);
    segments_unmap_counts(own);
    close(fd);
}

static void another_file_is_no_segment(void **state)
{
    const size_t sizes[] = {0,
                            1,
                            4096,
                            sizeof(struct state_segment) - 1,
                            sizeof(struct state_segment) + 1,
                            sizeof(struct count_segment)};
    const struct state_segment *states = NULL;
    struct count_segment *counts = NULL;
    struct error why = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int fd = memfd_create("other", MFD_CLOEXEC);

        assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
        assert_int_equal(segments_map_state(fd, &states, &why), -EBADMSG);
        /* Its size may be right, then its version is not. */
        assert_int_equal(segments_map_counts(fd, &counts, &why), -EBADMSG);
        assert_non_null(strstr(why.text, "segment of this version"));
        close(fd);
    }
    assert_int_equal(segments_map_state(-1, &states, &why), -EBADMSG);
}

static void a_segment_of_another_version_is_refused(void **state)
{
    const uint32_t version = SEGMENTS_VERSION + 1;
    const struct count_segment *seen;
    struct count_segment *own;
    const struct state_segment *states;
    struct state_segment *keeper;
    int fd;

    (void)state;
    assert_int_equal(segments_create_counts(&fd, &seen, NULL), 0);
    assert_int_equal(pwrite(fd, &version, sizeof(version), 0), sizeof(version));
    assert_int_equal(segments_map_counts(fd, &own, NULL), -EBADMSG);
    segments_unmap_counts(seen);
    close(fd);
    assert_int_equal(segments_create_state(&fd, &keeper, NULL), 0);
    keeper->version = version;
    assert_int_equal(segments_map_state(fd, &states, NULL), -EBADMSG);
    segments_unmap_state(keeper);
    close(fd);
}

static void nothing_is_harmless_to_unmap(void **state)
{
    (void)state;
    segments_unmap_state(NULL);
    segments_unmap_counts(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_begin_where_they_say),
        cmocka_unit_test(every_latency_has_a_bucket),
        cmocka_unit_test(a_bucket_is_at_most_a_quarter_wide),
        cmocka_unit_test(quantiles_agree_with_the_exact_ones),
        cmocka_unit_test(without_requests_there_is_no_latency),
        cmocka_unit_test(what_the_keeper_says_the_workers_read),
        cmocka_unit_test(the_state_of_another_incarnation_is_not_mine),
        cmocka_unit_test(one_that_is_being_healed_is_expected_whatever_its_incarnation),
        cmocka_unit_test(nobody_but_the_keeper_writes_states),
        cmocka_unit_test(what_a_worker_counts_the_keeper_reads),
        cmocka_unit_test(another_file_is_no_segment),
        cmocka_unit_test(a_segment_of_another_version_is_refused),
        cmocka_unit_test(nothing_is_harmless_to_unmap),
    };

    return cmocka_run_group_tests_name("proxy/segments", tests, NULL, NULL);
}
