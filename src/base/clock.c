#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t fixed_us;

uint64_t clock_now_us(void)
{
    struct timespec now;

    if (fixed_us)
        return fixed_us;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * CLOCK_US_PER_S + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void clock_to_text(uint64_t wall_ms, char text[CLOCK_TEXT_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char date[CLOCK_TEXT_BYTES] = "";
    struct tm parts;

    gmtime_r(&seconds, &parts);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, CLOCK_TEXT_BYTES, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000));
}

void clock_set(uint64_t now_us)
{
    fixed_us = now_us;
}
