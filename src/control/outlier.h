/*
 * Does a replica's traffic say that it is broken? Pure: what was counted and the time go in, what
 * is to be done comes out.
 *
 *     in → ejected → on probation → in
 *             ↑            │ a bad answer, or slow ones
 *             └────────────┘
 *
 * Bad are answers of its own with 500, 502, 503 or 504. What could not be connected, broke or timed
 * out says nothing here: retries, skips and probes deal with that, and a balancer that was stopped
 * for a while would see all of it at once.
 *
 * Owner: whoever it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/outlier_rules.h"
#include "proxy/segments.h"

#define OUTLIER_WHY_BYTES 128

/* The others of which a slow one is slower: with it at least so many. */
#define OUTLIER_COMPARED_MIN 3

enum outlier_state { OUTLIER_IN, OUTLIER_EJECTED, OUTLIER_PROBATION };

enum outlier_action {
    OUTLIER_NOTHING,
    OUTLIER_EJECT,
    OUTLIER_TRY, /* its time is over: probation */
    OUTLIER_RESTORE,
};

/* What all workers have counted of it; sums only grow but for `wait`, which is lost with a worker.
 */
struct outlier_figures {
    uint64_t bad;
    uint64_t good;
    uint64_t failures; /* attempts without a valid answer */
    uint64_t good_us;  /* when the newest good answer came ... */
    uint32_t bad_run;  /* ... and the bad ones after it, of the worker that had it */
    uint64_t wait[COUNT_BUCKETS];
};

struct outlier {
    enum outlier_state state;
    uint32_t ejections; /* that are not forgotten */
    uint64_t since_us;  /* in this state */
    uint64_t until_us;  /* ejected: for so long */
    uint64_t limit_us;  /* what was slow when it was ejected for that; 0: it was not */
    uint64_t good_us;   /* the newest good answer that was seen */
    uint64_t bad_base;  /* figures->bad when ... */
    uint64_t good_base;
    uint64_t failures_base;
    uint64_t wait_base[COUNT_BUCKETS]; /* at the beginning of the window or probation */
    bool is_kept;                      /* it would be ejected, but for the floor */
    char why[OUTLIER_WHY_BYTES];       /* it was ejected; empty: never */
};

bool outlier_is_on(const struct outlier_rules *rules);

/* In rotation, with nothing known of it but that. */
void outlier_begin(struct outlier *outlier, const struct outlier_figures *figures, uint64_t now_us);

/* What is to be done now? Nothing has been done when it returns; `outlier->why` is the reason of an
 * OUTLIER_EJECT. */
enum outlier_action outlier_judge(struct outlier *outlier, const struct outlier_rules *rules,
                                  const struct outlier_figures *figures, uint64_t now_us);

/* It is done. */
void outlier_become(struct outlier *outlier, enum outlier_action action,
                    const struct outlier_rules *rules, const struct outlier_figures *figures,
                    uint64_t now_us);

/* May one more of `in_rotation` go? `all` are those that keys belong to, down or dead ones too. */
bool outlier_may_go(const struct outlier_rules *rules, unsigned in_rotation, unsigned all);

/* ---- slowness ---- */

/* What a replica did in a window. */
struct outlier_window {
    uint64_t requests;
    uint64_t median_us; /* from a request's last byte to its answer's first */
};

/* The window since outlier_begin() or outlier_begin_window(). */
struct outlier_window outlier_end_window(const struct outlier *outlier,
                                         const struct outlier_figures *figures);
void outlier_begin_window(struct outlier *outlier, const struct outlier_figures *figures);

/*
 * The place of the slowest that is too slow in comparison with the others, or -1; *limit_us is what
 * would not have been. Those with too few requests are not looked at.
 */
int outlier_find_slow(const struct outlier_rules *rules, const struct outlier_window *windows,
                      unsigned count, uint64_t *limit_us);

/* The reason and the limit of one that is ejected for slowness; outlier_become() follows. */
void outlier_blame_slow(struct outlier *outlier, const struct outlier_window *window,
                        uint64_t limit_us);
