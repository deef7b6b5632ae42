/*
 * What tests of the Docker driver need: the test is the driver's dockhand, reads what is ordered
 * and says what the Engine does.
 */
#pragma once

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "replica/driver_docker.h"

#define ORDERS_MAX 64
#define TURN_US    5000

static struct loop loop;
static struct driver *driver;
static uint64_t now_us;
static int hand = -1; /* the dockhand's end */
static unsigned launches;

/* What it was asked and has not answered. */
static json_t *orders[ORDERS_MAX];
static unsigned order_count;

struct heard {
    struct driver_run *run;
    struct driver_started started;
    enum driver_end end;
    int result;
    char why[DRIVER_WHY_BYTES];
    unsigned starts;
    unsigned failures;
    unsigned ends;
};

/* ---- what the supervisor hears ---- */

static inline void on_started(struct driver_run *run, const struct driver_started *started)
{
    struct heard *heard = run->holder;

    heard->starts++;
    heard->started = *started;
}

static inline void on_failed(struct driver_run *run, int result, const char *why)
{
    struct heard *heard = run->holder;

    heard->failures++;
    heard->result = result;
    snprintf(heard->why, sizeof(heard->why), "%s", why);
}

static inline void on_ended(struct driver_run *run, enum driver_end how, const char *why)
{
    struct heard *heard = run->holder;

    heard->ends++;
    heard->end = how;
    snprintf(heard->why, sizeof(heard->why), "%s", why);
}

static const struct driver_events events = {
    .on_started = on_started,
    .on_failed = on_failed,
    .on_ended = on_ended,
};

/* ---- what the dockhand hears and says ---- */

static inline int launch(void *owner, int *fd, struct error *why)
{
    int ends[2];

    (void)owner;
    (void)why;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    *fd = ends[0];
    hand = ends[1];
    launches++;
    return 0;
}

static inline void say(const char *format, ...)
{
    char text[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    assert_int_equal(strlen(text), send(hand, text, strlen(text), 0));
}

static inline void read_orders(void)
{
    char text[4096];
    ssize_t size;

    while (hand >= 0 && (size = recv(hand, text, sizeof(text), MSG_DONTWAIT)) > 0) {
        json_t *order = json_loadb(text, (size_t)size, 0, NULL);

        if (json_object_get(order, "verb"))
            orders[order_count++] = order;
        else
            json_decref(order); /* the charter */
    }
}

static inline void turn(void)
{
    for (unsigned i = 0; i < 4; i++) {
        clock_set(now_us += TURN_US);
        loop_turn(&loop, 0);
        read_orders();
    }
}

static inline void turn_ms(unsigned ms)
{
    for (unsigned i = 0; i < ms / 20; i++)
        turn();
}

static inline const char *text_of(const json_t *order, const char *field)
{
    const char *text = json_string_value(json_object_get(order, field));

    return text ? text : "";
}

/* The oldest order of that verb, or NULL; it stays. */
static inline json_t *find_order(const char *verb)
{
    for (unsigned i = 0; i < order_count; i++) {
        if (strcmp(text_of(orders[i], "verb"), verb) == 0)
            return orders[i];
    }
    return NULL;
}

static inline unsigned count_orders(const char *verb)
{
    unsigned count = 0;

    for (unsigned i = 0; i < order_count; i++)
        count += strcmp(text_of(orders[i], "verb"), verb) == 0;
    return count;
}

/* Takes it off the list and returns its id. */
static inline int take(const char *verb)
{
    json_t *order = find_order(verb);
    int id = (int)json_integer_value(json_object_get(order, "id"));

    if (!order)
        fail_msg("nobody has ordered '%s'", verb);
    for (unsigned i = 0; i < order_count; i++) {
        if (orders[i] != order)
            continue;
        memmove(&orders[i], &orders[i + 1], (--order_count - i) * sizeof(orders[0]));
        break;
    }
    json_decref(order);
    return id;
}

static inline void answer(const char *verb, const char *more)
{
    say("{\"id\":%d,\"result\":0%s}", take(verb), more);
    turn();
}

static inline void refuse(const char *verb, int result, const char *more)
{
    say("{\"id\":%d,\"result\":%d,\"why\":\"because\"%s}", take(verb), result, more);
    turn();
}

/* A container's whole id. */
static inline const char *id_of(char letter)
{
    static char id[65];

    memset(id, letter, 64);
    return id;
}

static int events_id;

static inline void tell_event(const char *event, char letter, int exit_code)
{
    say("{\"id\":%d,\"item\":{\"event\":\"%s\",\"container\":\"%s\",\"exit_code\":%d,\"time\":%d}}",
        events_id, event, id_of(letter), exit_code, 1500000000);
    turn();
}

/* The dockhand works and the Engine answers. */
static inline void come_up(void)
{
    say("{\"id\":0,\"result\":0}");
    turn();
    events_id = take("events");
    say("{\"id\":%d,\"item\":{\"event\":\"opened\"}}", events_id);
    turn();
    answer("list", "");
}

static inline void answer_created(char letter)
{
    char more[128];

    snprintf(more, sizeof(more), ",\"container\":\"%s\"", id_of(letter));
    answer("create", more);
}

static inline void answer_running(const char *verb, char letter, const char *replica)
{
    char more[256];

    snprintf(more, sizeof(more),
             ",\"container\":\"%s\",\"replica\":\"%s\",\"running\":true,\"address\":\"10.0.0.5\"",
             id_of(letter), replica);
    answer(verb, more);
}

static inline void order_start(const char *name, bool may_wait, struct heard *heard)
{
    const struct driver_order order = {.name = name, .may_wait = may_wait};

    *heard = (struct heard){0};
    assert_int_equal(0, driver->calls->start(driver, &order, &events, heard, &heard->run, NULL));
    turn();
}

static inline void start(const char *name, char letter, struct heard *heard)
{
    order_start(name, true, heard);
    answer_created(letter);
    answer_running("start", letter, name);
    assert_int_equal(1, heard->starts);
}

/* Ends what runs, so that the driver may go. */
static inline void stop_all(struct heard *heard)
{
    driver->calls->stop(heard->run, 1000);
    turn();
    answer("stop", "");
    answer("remove", "");
    assert_int_equal(1, heard->ends);
}

static inline int begin(void **state)
{
    struct dockhand_charter charter = {.node = "n", .service = "web", .image = "app", .port = 5000};

    (void)state;
    log_open(-1, LOG_ERROR, LOG_LOGFMT);
    clock_set(now_us = 1000 * CLOCK_US_PER_S);
    assert_int_equal(0, loop_init(&loop, NULL));
    snprintf(charter.network, sizeof(charter.network), "roost");
    charter.env = json_array();
    launches = 0;
    assert_int_equal(0, driver_docker_create(&loop, &charter, launch, NULL, &driver, NULL));
    dockhand_charter_finish(&charter);
    come_up();
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    driver_destroy(driver);
    loop_finish(&loop);
    if (hand >= 0)
        close(hand);
    hand = -1;
    while (order_count)
        json_decref(orders[--order_count]);
    clock_set(0);
    return 0;
}
