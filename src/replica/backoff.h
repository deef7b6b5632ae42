/*
 * When may a replica that ended be started again? At once where it had been well; else after a
 * delay that doubles from 1 s to 5 min, with jitter, and never more than 12 times in 10 minutes.
 * A replica that was up and was killed by somebody's hand is no crash: those starts have a limit of
 * their own. Pure: the caller says what time it is.
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_STARTS_MAX     12                  /* in any BACKOFF_WINDOW_US, after crashes */
#define BACKOFF_KILLS_MAX      60                  /* in any BACKOFF_WINDOW_US, after kills */
#define BACKOFF_WINDOW_US      UINT64_C(600000000) /* 10 min */
#define BACKOFF_FIRST_US       UINT64_C(1000000)   /* the delay before the second restart */
#define BACKOFF_MOST_US        UINT64_C(300000000) /* 5 min */
#define BACKOFF_JITTER_PERCENT 20                  /* more or less */
#define BACKOFF_WELL_US        UINT64_C(10000000)  /* up for that long: the next crash is a first */
#define BACKOFF_WELL_KILLED_US UINT64_C(1000000)   /* up for that long, then killed: no crash */
#define BACKOFF_PARKED_US      UINT64_C(5000000)   /* a delay from which on it counts as parked */

struct backoff {
    uint64_t starts_us[BACKOFF_STARTS_MAX]; /* the last ones, a ring */
    uint64_t kills_us[BACKOFF_KILLS_MAX];   /* restarts after kills, a ring */
    unsigned starts;                        /* since the beginning */
    unsigned kills;
    unsigned crashes; /* one after the other */
};

/* A start was made at `now_us`; `was_killed`: the run before it was well and was killed. */
void backoff_note_start(struct backoff *backoff, uint64_t now_us, bool was_killed);

/*
 * A run ended at `now_us` that had been up for `up_us` (0: never was). Returns how long to wait
 * until the next start; *is_kill is what backoff_note_start() is to be told then.
 */
uint64_t backoff_delay_us(struct backoff *backoff, uint64_t now_us, uint64_t up_us, bool was_killed,
                          bool *is_kill);
