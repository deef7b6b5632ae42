#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"

static void settle(struct loop *loop)
{
    if (loop->on_settle)
        loop->on_settle(loop->settle_owner);
}

static void rest(struct loop *loop)
{
    if (loop->on_rest)
        loop->on_rest(loop->settle_owner);
}

static void settle_after_timer(struct timer_wheel *wheel)
{
    settle(CONTAINER_OF(wheel, struct loop, wheel));
}

int loop_init(struct loop *loop, struct error *why)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (epoll_fd < 0)
        return error_set(why, -errno, "epoll_create1: %s", strerror(errno));
    *loop = (struct loop){.epoll_fd = epoll_fd, .now_us = clock_now_us()};
    timer_wheel_init(&loop->wheel, loop->now_us);
    loop->wheel.on_settle = settle_after_timer;
    list_init(&loop->ready);
    return 0;
}

static void dispose(struct loop *loop)
{
    while (loop->garbage) {
        struct garbage *garbage = loop->garbage;

        loop->garbage = garbage->next;
        garbage->destroy(garbage);
    }
}

void loop_finish(struct loop *loop)
{
    dispose(loop);
    descriptor_close(&loop->epoll_fd);
}

/* Milliseconds to wait: rounded up, so that a timer is never woken for too early. */
static int wait_ms(const struct loop *loop, uint64_t most_us)
{
    uint64_t next_us = timer_wheel_next_us(&loop->wheel);
    uint64_t wait_us = most_us;

    if (!list_is_empty(&loop->ready) || loop->garbage)
        return 0;
    if (next_us != TIMER_NEVER_US) {
        uint64_t now_us = clock_now_us();
        uint64_t until_us = next_us > now_us ? next_us - now_us : 0;

        if (until_us < wait_us)
            wait_us = until_us;
    }
    if (wait_us == UINT64_MAX)
        return -1;
    if (wait_us > INT32_MAX * CLOCK_US_PER_MS)
        return INT32_MAX;
    return (int)((wait_us + CLOCK_US_PER_MS - 1) / CLOCK_US_PER_MS);
}

/* Who delivers alone has nothing to gain. */
static void look_ahead(struct loop *loop, const struct epoll_event *events, int count)
{
    if (loop->on_ahead && count > 1)
        loop->on_ahead(loop->settle_owner, events, count < LOOP_AHEAD_MAX ? count : LOOP_AHEAD_MAX);
}

static void deliver(struct loop *loop, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;

        if (i % LOOP_AHEAD_MAX == 0)
            look_ahead(loop, events + i, count - i);
        /* Removed earlier in this turn; its memory stays until the turn ends. */
        if (!watch->on_events)
            continue;
        watch->on_events(watch, events[i].events);
        settle(loop);
    }
}

static void run_ready(struct loop *loop)
{
    struct list now;

    list_init(&now);
    list_take_all(&now, &loop->ready);
    while (!list_is_empty(&now)) {
        struct ready *ready = LIST_FIRST(&now, struct ready, list);

        list_remove(&ready->list);
        ready->run(ready);
        settle(loop);
    }
}

void loop_turn(struct loop *loop, uint64_t most_us)
{
    struct epoll_event events[LOOP_EVENTS_MAX];
    int count;

    /* A turn within a turn would dispose what is on the stack of the outer one. */
    assert(!loop->is_turning);
    loop->is_turning = true;
    if (loop->on_turn)
        loop->on_turn(loop->turn_owner);
    /* What was written outside of all turns. */
    settle(loop);
    rest(loop);
    count = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_MAX, wait_ms(loop, most_us));
    if (count < 0 && errno != EINTR) {
        perror("epoll_wait");
        abort();
    }
    loop->now_us = clock_now_us();
    loop->turns++;
    deliver(loop, events, count);
    timer_wheel_run(&loop->wheel, loop->now_us);
    run_ready(loop);
    rest(loop);
    dispose(loop);
    loop->is_turning = false;
}

void loop_run(struct loop *loop)
{
    while (!loop->is_stopping)
        loop_turn(loop, UINT64_MAX);
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events, watch_fn on_events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    assert(on_events);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return -errno;
    watch->on_events = on_events;
    return 0;
}

int loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    if (!watch->on_events)
        return;
    watch->on_events = NULL;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

void loop_forget(struct loop *loop, struct watch *watch)
{
    if (loop->never_forks)
        watch->on_events = NULL;
    else
        loop_remove(loop, watch);
}

void loop_make_ready(struct loop *loop, struct ready *ready)
{
    if (list_is_empty(&ready->list))
        list_append(&loop->ready, &ready->list);
}

void loop_dispose(struct loop *loop, struct garbage *garbage, garbage_fn destroy)
{
    garbage->destroy = destroy;
    garbage->next = loop->garbage;
    loop->garbage = garbage;
}
