#include "conn/pace.h"

#include "base/clock.h"

#define MS_PER_S 1000

/* Wraps after 49 days: only differences are looked at. */
static uint32_t now_ms(const struct inbound *inbound)
{
    return (uint32_t)(inbound->group->socks->loop->now_us / CLOCK_US_PER_MS);
}

void pace_open(struct inbound *inbound)
{
    inbound->opened_ms = now_ms(inbound);
    inbound->requests = 0;
}

bool pace_is_last(struct inbound *inbound)
{
    const struct inbound_settings *settings = &inbound->group->settings;

    if (settings->requests_max && ++inbound->requests >= settings->requests_max)
        return true;
    return settings->lifetime_ms && now_ms(inbound) - inbound->opened_ms >= settings->lifetime_ms;
}

void pace_begin(struct inbound *inbound)
{
    inbound->paced_bytes = 0;
    sock_set_deadline(&inbound->sock, inbound->group->settings.idle_timeout_ms * CLOCK_US_PER_MS);
}

void pace_take(struct inbound *inbound, size_t bytes)
{
    const struct inbound_settings *settings = &inbound->group->settings;
    uint64_t wanted = (uint64_t)settings->pace * settings->idle_timeout_ms / MS_PER_S;
    uint64_t sent = inbound->paced_bytes + (uint64_t)bytes;

    if (sent < wanted)
        inbound->paced_bytes = (uint32_t)sent;
    else
        pace_begin(inbound);
}
