#include "control/workers_count.h"

#include <string.h>

struct counts_total workers_count_total(const struct workers *workers)
{
    struct counts_total sum = workers->gone->total;

    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (one->counts)
            counts_add_total(&sum, one->counts);
    }
    return sum;
}

void workers_count_seat(const struct workers *workers, uint32_t seat, struct counts_seat *sum)
{
    *sum = workers->gone->seats[seat];
    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (one->counts)
            counts_add_seat(sum, one->counts, seat);
    }
}

/* A run is read before the sum that contains it: what comes between is left out of the run. */
static void take_newest_good(struct outlier_figures *figures, const struct count_seat *seat)
{
    uint64_t good_us = SEGMENTS_READ(seat->good_us);

    if (good_us < figures->good_us)
        return;
    figures->good_us = good_us;
    figures->bad_run = SEGMENTS_READ(seat->bad_run);
}

void workers_count_answers(const struct workers *workers, uint32_t seat,
                           struct outlier_figures *figures)
{
    const struct counts_seat *gone = &workers->gone->seats[seat];

    figures->good_us = 0;
    figures->bad_run = 0;
    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (one->counts)
            take_newest_good(figures, &one->counts->seats[seat]);
    }
    figures->bad = gone->bad;
    figures->good = gone->good;
    figures->failures = gone->failures;
    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (!one->counts)
            continue;
        figures->bad += SEGMENTS_READ(one->counts->seats[seat].bad);
        figures->good += SEGMENTS_READ(one->counts->seats[seat].good);
        figures->failures += SEGMENTS_READ(one->counts->seats[seat].failures);
    }
}

void workers_count_waits(const struct workers *workers, uint32_t seat, uint64_t wait[COUNT_BUCKETS])
{
    memset(wait, 0, COUNT_BUCKETS * sizeof(*wait));
    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        for (unsigned i = 0; one->counts && i < COUNT_BUCKETS; i++)
            wait[i] += SEGMENTS_READ(one->counts->seats[seat].wait[i]);
    }
}

uint32_t workers_count_in_flight(const struct workers *workers, uint32_t seat)
{
    uint32_t sum = 0;

    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (one->counts)
            sum += SEGMENTS_READ(one->counts->seats[seat].in_flight);
    }
    return sum;
}
