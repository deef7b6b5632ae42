/*
 * Time. Everything that waits or measures uses the monotonic clock; the wall clock is for people.
 * A test moves the clock by hand and never sleeps.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CLOCK_US_PER_MS UINT64_C(1000)
#define CLOCK_US_PER_S  UINT64_C(1000000)

/* Microseconds of the monotonic clock. */
uint64_t clock_now_us(void);

/* Milliseconds since 1970, UTC. */
uint64_t clock_wall_ms(void);

#define CLOCK_TEXT_BYTES 25

/* `wall_ms` as RFC 3339 with milliseconds, "2026-11-20T04:50:00.123Z", zero-ended. */
void clock_to_text(uint64_t wall_ms, char text[CLOCK_TEXT_BYTES]);

/* Tests: from now on the monotonic clock says `now_us`; 0 gives the real one back. */
void clock_set(uint64_t now_us);
