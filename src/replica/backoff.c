#include "replica/backoff.h"

#include "base/random.h"

/* How long until the ring of the last `most` starts has room for one more in the window. */
static uint64_t window_delay_us(const uint64_t *ring, unsigned count, unsigned most,
                                uint64_t now_us)
{
    uint64_t free_us;

    if (count < most)
        return 0;
    free_us = ring[count % most] + BACKOFF_WINDOW_US;
    return free_us > now_us ? free_us - now_us : 0;
}

void backoff_note_start(struct backoff *backoff, uint64_t now_us, bool was_killed)
{
    if (was_killed) {
        backoff->kills_us[backoff->kills++ % BACKOFF_KILLS_MAX] = now_us;
        return;
    }
    backoff->starts_us[backoff->starts++ % BACKOFF_STARTS_MAX] = now_us;
}

/* The delay before the restart after the `crashes`-th crash in a row. */
static uint64_t delay_after_us(unsigned crashes)
{
    uint64_t delay_us = BACKOFF_FIRST_US;
    uint64_t jitter_us;

    if (crashes <= 1)
        return 0;
    for (unsigned i = 2; i < crashes && delay_us < BACKOFF_MOST_US; i++)
        delay_us *= 2;
    jitter_us = delay_us * BACKOFF_JITTER_PERCENT / 100;
    delay_us += random_below(2 * jitter_us + 1) - jitter_us;
    return delay_us < BACKOFF_MOST_US ? delay_us : BACKOFF_MOST_US;
}

uint64_t backoff_delay_us(struct backoff *backoff, uint64_t now_us, uint64_t up_us, bool was_killed,
                          bool *is_kill)
{
    uint64_t delay_us;
    uint64_t window_us;

    *is_kill = was_killed && up_us >= BACKOFF_WELL_KILLED_US &&
               window_delay_us(backoff->kills_us, backoff->kills, BACKOFF_KILLS_MAX, now_us) == 0;
    if (up_us >= BACKOFF_WELL_US || *is_kill)
        backoff->crashes = 0;
    if (*is_kill)
        return 0;
    backoff->crashes++;
    delay_us = delay_after_us(backoff->crashes);
    window_us = window_delay_us(backoff->starts_us, backoff->starts, BACKOFF_STARTS_MAX, now_us);
    return delay_us > window_us ? delay_us : window_us;
}
