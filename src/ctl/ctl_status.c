#include "ctl/ctl_status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/word.h"
#include "ctl/ctl_ask.h"
#include "ctl/ctl_table.h"

#define WATCH_S      1
#define PERCENT      100.0
#define MEBIBYTE     (1024.0 * 1024.0)
#define MINUTE_S     60
#define HOUR_S       3600
#define DAY_S        86400
#define SPAN_BYTES   32
#define CLOCK_AT     11 /* in 2026-11-20T05:00:00.123Z */
#define CLOCK_BYTES  8
#define CLEAR_SCREEN "\033[H\033[2J"

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "-";
}

/* "3d 4h", "4h 5m", "5m 6s", "6s". */
static void write_span(double seconds, char text[SPAN_BYTES])
{
    unsigned long s = (unsigned long)seconds;

    if (s >= DAY_S)
        snprintf(text, SPAN_BYTES, "%lud %luh", s / DAY_S, s % DAY_S / HOUR_S);
    else if (s >= HOUR_S)
        snprintf(text, SPAN_BYTES, "%luh %lum", s / HOUR_S, s % HOUR_S / MINUTE_S);
    else if (s >= MINUTE_S)
        snprintf(text, SPAN_BYTES, "%lum %lus", s / MINUTE_S, s % MINUTE_S);
    else
        snprintf(text, SPAN_BYTES, "%lus", s);
}

static void print_list(const char *title, const json_t *list)
{
    json_t *item;
    size_t i;

    printf("%s ", title);
    json_array_foreach(list, i, item) printf("%s%s", i ? ", " : "", json_string_value(item));
    puts("");
}

static void print_node(const json_t *status)
{
    const json_t *node = json_object_get(status, "node");
    const json_t *table = json_object_get(status, "table");
    const json_t *total = json_object_get(status, "total");
    char span[SPAN_BYTES];

    write_span(json_real_value(json_object_get(node, "uptime_s")), span);
    printf("roost %s, %s for %s, pid %" JSON_INTEGER_FORMAT ", state %s\n",
           text_of(node, "version"), text_of(node, "phase"), span, number_of(node, "pid"),
           text_of(node, "state"));
    print_list("traffic", json_object_get(status, "listeners"));
    print_list("control", json_object_get(status, "control"));
    printf("epoch   %" JSON_INTEGER_FORMAT ", digest %s\n", number_of(table, "epoch"),
           text_of(table, "digest"));
    printf("total   %" JSON_INTEGER_FORMAT " requests, %" JSON_INTEGER_FORMAT
           " errors, %" JSON_INTEGER_FORMAT " retries, %" JSON_INTEGER_FORMAT
           " in flight, %" JSON_INTEGER_FORMAT " connections\n",
           number_of(total, "requests"), number_of(total, "errors"), number_of(total, "retries"),
           number_of(total, "in_flight"), number_of(total, "connections"));
}

static void print_workers(const json_t *workers)
{
    static const char *const names[] = {">WORKER",    ">PID",      ">EPOCH", ">CONNECTIONS",
                                        ">IN FLIGHT", ">REQUESTS", ">TURNS", NULL};
    struct ctl_table table;
    json_t *worker;
    size_t i;

    ctl_table_init(&table, names);
    json_array_foreach(workers, i, worker)
    {
        ctl_table_add_json(&table, json_object_get(worker, "number"));
        ctl_table_add_json(&table, json_object_get(worker, "pid"));
        ctl_table_add_json(&table, json_object_get(worker, "epoch"));
        ctl_table_add_json(&table, json_object_get(worker, "connections"));
        ctl_table_add_json(&table, json_object_get(worker, "in_flight"));
        ctl_table_add_json(&table, json_object_get(worker, "requests"));
        ctl_table_add_json(&table, json_object_get(worker, "turns"));
    }
    puts("");
    ctl_table_print(&table, stdout);
    ctl_table_finish(&table);
}

static void add_number(struct ctl_table *table, const json_t *replica, const char *key)
{
    ctl_table_add_json(table, json_object_get(replica, key));
}

/* As `docker stats` shows it. */
static void add_usage(struct ctl_table *table, const json_t *replica)
{
    const json_t *percent = json_object_get(replica, "cpu_percent");
    const json_t *memory = json_object_get(replica, "memory_bytes");

    if (json_is_number(percent))
        ctl_table_add(table, "%.1f", json_number_value(percent));
    else
        ctl_table_add(table, "-");
    if (json_is_integer(memory))
        ctl_table_add(table, "%.1f", (double)json_integer_value(memory) / MEBIBYTE);
    else
        ctl_table_add(table, "-");
}

static void add_replica(struct ctl_table *table, const json_t *replica)
{
    const json_t *share = json_object_get(replica, "share");
    const json_t *until = json_object_get(replica, "ejected_until");
    bool is_drained = json_is_true(json_object_get(replica, "drained"));

    ctl_table_add(table, "%s", text_of(replica, "name"));
    if (json_is_string(until))
        ctl_table_add(table, "%s until %.*s", text_of(replica, "state"), CLOCK_BYTES,
                      json_string_value(until) + CLOCK_AT);
    else
        ctl_table_add(table, "%s%s", text_of(replica, "state"), is_drained ? ", drained" : "");
    add_number(table, replica, "weight");
    if (share)
        ctl_table_add(table, "%.2f %%", PERCENT * json_real_value(share));
    else
        ctl_table_add(table, "-");
    add_number(table, replica, "requests");
    add_number(table, replica, "in_flight");
    add_number(table, replica, "failures");
    add_number(table, replica, "p50_ms");
    add_number(table, replica, "p99_ms");
    add_usage(table, replica);
    add_number(table, replica, "restarts");
    add_number(table, replica, "pid");
    ctl_table_add(table, "%s", text_of(replica, "address"));
    ctl_table_add(table, "%s", text_of(replica, "reason"));
}

static void print_lookups(const json_t *lookups)
{
    json_t *lookup;
    size_t i;

    json_array_foreach(lookups, i, lookup)
    {
        printf("lookup %s: %s, %s, ", text_of(lookup, "name"), text_of(lookup, "host"),
               text_of(lookup, "state"));
        if (json_is_string(json_object_get(lookup, "reason")))
            printf("%s, ", text_of(lookup, "reason"));
        print_list("addresses", json_object_get(lookup, "addresses"));
    }
}

static void print_service(const json_t *service)
{
    static const char *const names[] = {"REPLICA",   "STATE",      ">WEIGHT",   ">SHARE",
                                        ">REQUESTS", ">IN FLIGHT", ">FAILURES", ">P50 MS",
                                        ">P99 MS",   ">CPU %",     ">MEM MIB",  ">RESTARTS",
                                        ">PID",      "ADDRESS",    "REASON",    NULL};
    static const char *const groups[] = {"replicas", "arriving", "leaving"};
    struct ctl_table table;
    json_t *replica;
    size_t i;

    printf("\nservice %s: %s, driver %s, ", text_of(service, "name"), text_of(service, "scheme"),
           text_of(service, "driver"));
    print_list("key", json_object_get(service, "key"));
    ctl_table_init(&table, names);
    for (size_t group = 0; group < ARRAY_SIZE(groups); group++) {
        json_array_foreach(json_object_get(service, groups[group]), i, replica)
            add_replica(&table, replica);
    }
    ctl_table_print(&table, stdout);
    ctl_table_finish(&table);
    print_lookups(json_object_get(service, "lookups"));
}

/* False after it was said that there is no such service. */
static bool has_service(const struct ctl *ctl, const json_t *status)
{
    json_t *service;
    size_t i;

    if (!ctl->options->service)
        return true;
    json_array_foreach(json_object_get(status, "services"), i, service)
    {
        if (strcmp(ctl->options->service, text_of(service, "name")) == 0)
            return true;
    }
    fprintf(stderr, "roost ctl: there is no service '%s'\n", ctl->options->service);
    return false;
}

static void print_status(const struct ctl *ctl, const json_t *status)
{
    json_t *service;
    size_t i;

    print_node(status);
    print_workers(json_object_get(status, "workers"));
    json_array_foreach(json_object_get(status, "services"), i, service)
    {
        if (!ctl->options->service || strcmp(ctl->options->service, text_of(service, "name")) == 0)
            print_service(service);
    }
}

int ctl_status(struct ctl *ctl)
{
    bool is_terminal = isatty(STDOUT_FILENO);

    for (;;) {
        json_t *status = ctl_ask(ctl, METHOD_GET, "/v1/status", NULL);

        if (!status || !has_service(ctl, status)) {
            json_decref(status);
            return WORD_FAILED;
        }
        if (!ctl->options->is_json) {
            if (ctl->options->watches && is_terminal)
                fputs(CLEAR_SCREEN, stdout);
            print_status(ctl, status);
        }
        json_decref(status);
        if (!ctl->options->watches)
            return WORD_DONE;
        if (!ctl->options->is_json && !is_terminal)
            puts("");
        if (fflush(stdout) != 0)
            return WORD_FAILED;
        sleep(WATCH_S);
    }
}
