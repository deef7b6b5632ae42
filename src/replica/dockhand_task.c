#include "replica/dockhand_task.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define TIMEOUT_MS      10000u
#define CREATE_MS       30000u /* a container of a large image */
#define LIST_MS         5000u
#define STOP_SLACK_MS   10000u /* beyond the time it has */
#define NETWORK_TRIES   3
#define ITEM_TEXT_BYTES 64

struct dockhand_task;
typedef void (*step_fn)(struct dockhand_task *task, int status, json_t *body, const char *why);

struct dockhand_task {
    struct list list;
    struct dockhand *dockhand;
    struct engine_call *call; /* under way */
    step_fn step;             /* takes its answer */
    step_fn after_network;    /* what goes on once the network is there */
    dockhand_task_fn on_done;
    struct list waiter; /* for the network, which another one looks for */
    struct garbage garbage;
    struct dockhand_order order;
    unsigned tries;
    bool has_made_network;
};

static void check_then(struct dockhand_task *task, step_fn step);
static void give_up_network(struct dockhand *dockhand);

/* ---- the end ---- */

static void free_task(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct dockhand_task, garbage));
}

static void dispose(struct dockhand_task *task)
{
    struct dockhand *dockhand = task->dockhand;

    engine_cancel(task->call);
    task->call = NULL;
    list_remove(&task->list);
    list_remove(&task->waiter);
    dockhand->task_count--;
    loop_dispose(&dockhand->loop, &task->garbage, free_task);
    if (dockhand->network_seeker == task)
        give_up_network(dockhand);
}

/* `more` has fields for the answer, or is NULL; it is the callee's. */
static void succeed(struct dockhand_task *task, json_t *more)
{
    struct dockhand *dockhand = task->dockhand;
    dockhand_task_fn on_done = task->on_done;
    json_t *answer = more ? more : json_object();

    json_object_set_new(answer, "id", json_integer((json_int_t)task->order.id));
    json_object_set_new(answer, "result", json_integer(0));
    dockhand_say(dockhand, answer);
    dispose(task);
    on_done(dockhand);
}

static void fail_with(struct dockhand_task *task, int result, const char *why,
                      const char *container)
{
    struct dockhand *dockhand = task->dockhand;
    dockhand_task_fn on_done = task->on_done;
    json_t *answer =
        json_pack("{s:I,s:i,s:s}", "id", (json_int_t)task->order.id, "result", result, "why", why);

    if (!answer) /* the Engine's words were no UTF-8 */
        answer = json_pack("{s:I,s:i,s:s}", "id", (json_int_t)task->order.id, "result", result,
                           "why", "the Docker Engine refuses");
    if (container)
        json_object_set_new(answer, "container", json_string(container));
    dockhand_say(dockhand, answer);
    dispose(task);
    on_done(dockhand);
}

static void fail(struct dockhand_task *task, int result, const char *why)
{
    fail_with(task, result, why, NULL);
}

static void say_item(struct dockhand_task *task, json_t *item)
{
    if (item)
        dockhand_say(task->dockhand,
                     json_pack("{s:I,s:o}", "id", (json_int_t)task->order.id, "item", item));
}

/* The Engine said what was not expected. */
static void fail_by_engine(struct dockhand_task *task, int status, const json_t *body,
                           const char *why)
{
    const char *message = json_string_value(json_object_get(body, "message"));
    char text[ERROR_TEXT_BYTES];

    if (status < 0) {
        fail(task, status, why);
        return;
    }
    snprintf(text, sizeof(text), "the Docker Engine answers %d: %.400s", status,
             message ? message : "without a reason");
    fail(task, status == 404 ? -ENOENT : -EPROTO, text);
}

/* ---- asking ---- */

static void on_answer(void *owner, const struct engine_answer *answer)
{
    struct dockhand_task *task = owner;
    json_t *body = NULL;

    task->call = NULL;
    if (answer->body.size)
        body = json_loadb(answer->body.data, answer->body.size, 0, NULL);
    task->step(task, answer->status, body, answer->why);
    json_decref(body);
}

static void ask(struct dockhand_task *task, enum method method, const char *path, const char *body,
                uint32_t timeout_ms, step_fn step)
{
    const struct engine_request request = {
        .method = method,
        .path = path,
        .body = body,
        .timeout_ms = timeout_ms,
        .done = on_answer,
        .owner = task,
    };

    task->step = step;
    task->call = engine_ask(&task->dockhand->engine, &request);
}

/* "/containers/" `what` `tail`; `what` is a name or an id, whose bytes need no escape. */
static void ask_container(struct dockhand_task *task, enum method method, const char *what,
                          const char *tail, uint32_t timeout_ms, step_fn step)
{
    char path[ENGINE_PATH_BYTES];

    snprintf(path, sizeof(path), "/containers/%s%s", what, tail);
    ask(task, method, path, NULL, timeout_ms, step);
}

/* After "filters="; `filters` is the callee's. */
static void append_filters(json_t *filters, char *path)
{
    char *text = json_dumps(filters, JSON_COMPACT);
    int result;

    result = engine_escape(path, text);
    assert(result == 0);
    free(text);
    json_decref(filters);
}

/* "label":["io.roost.node=…","io.roost.service=…"] */
static void add_label_filter(const struct dockhand *dockhand, json_t *filters)
{
    json_t *labels =
        json_pack("[o,o]", json_sprintf("%s=%s", DOCKHAND_LABEL_NODE, dockhand->charter.node),
                  json_sprintf("%s=%s", DOCKHAND_LABEL_SERVICE, dockhand->charter.service));

    json_object_set_new(filters, "label", labels);
}

/* ---- the network ---- */

/*
 * Names of networks are not unique: two who make one at the same time make two. So one task alone
 * looks and makes, the others wait for it, and where somebody else was as fast the network with the
 * smaller id stays.
 */
static void look_for_network(struct dockhand_task *task);

static void on_network_there(struct dockhand_task *task)
{
    struct dockhand *dockhand = task->dockhand;
    struct list waiting;

    dockhand->knows_network = true;
    dockhand->network_seeker = NULL;
    list_init(&waiting);
    list_take_all(&waiting, &dockhand->network_waiters);
    task->after_network(task, 0, NULL, NULL);
    while (!list_is_empty(&waiting)) {
        struct dockhand_task *waiter = LIST_FIRST(&waiting, struct dockhand_task, waiter);

        list_remove(&waiter->waiter);
        waiter->after_network(waiter, 0, NULL, NULL);
    }
}

/* The next one tries. */
static void give_up_network(struct dockhand *dockhand)
{
    struct dockhand_task *next =
        LIST_FIRST(&dockhand->network_waiters, struct dockhand_task, waiter);

    dockhand->network_seeker = next;
    if (!next)
        return;
    list_remove(&next->waiter);
    look_for_network(next);
}

static void on_network_answered(struct dockhand_task *task, int status, json_t *body,
                                const char *why)
{
    (void)body;
    (void)why;
    if (status < 0)
        fail(task, status, why);
    else
        look_for_network(task);
}

static void make_network(struct dockhand_task *task)
{
    const struct dockhand_charter *charter = &task->dockhand->charter;
    json_t *root = json_pack("{s:s,s:s,s:b,s:{s:s}}", "Name", charter->network, "Driver", "bridge",
                             "CheckDuplicate", 1, "Labels", DOCKHAND_LABEL_NODE, charter->node);
    char *text = json_dumps(root, JSON_COMPACT);

    task->has_made_network = true;
    ask(task, METHOD_POST, "/networks/create", text, TIMEOUT_MS, on_network_answered);
    free(text);
    json_decref(root);
}

/* One of ours that somebody else was as fast with. */
static bool is_twin(const struct dockhand_task *task, const json_t *network)
{
    const json_t *labels = json_object_get(network, "Labels");
    const char *node = json_string_value(json_object_get(labels, DOCKHAND_LABEL_NODE));

    return task->has_made_network && node && strcmp(node, task->dockhand->charter.node) == 0;
}

static void remove_network(struct dockhand_task *task, const json_t *network)
{
    char path[ENGINE_PATH_BYTES] = "/networks/";
    const char *id = json_string_value(json_object_get(network, "Id"));

    if (!id || engine_escape(path, id) < 0) {
        fail(task, -EPROTO, "the Docker Engine names a network without an id");
        return;
    }
    ask(task, METHOD_DELETE, path, NULL, TIMEOUT_MS, on_network_answered);
}

/* Those of that very name: how many, and the one with the largest id. */
static unsigned count_networks(const struct dockhand_task *task, const json_t *body,
                               const json_t **largest)
{
    unsigned count = 0;
    const json_t *network;
    size_t i;

    json_array_foreach(body, i, network)
    {
        const char *name = json_string_value(json_object_get(network, "Name"));
        const char *id = json_string_value(json_object_get(network, "Id"));
        const char *other = json_string_value(json_object_get(*largest, "Id"));

        if (!name || !id || strcmp(name, task->dockhand->charter.network) != 0)
            continue;
        count++;
        if (!other || strcmp(id, other) > 0)
            *largest = network;
    }
    return count;
}

static void on_networks(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const json_t *largest = NULL;
    const char *driver;
    unsigned count;

    if (status != 200) {
        fail_by_engine(task, status, body, why);
        return;
    }
    count = count_networks(task, body, &largest);
    driver = json_string_value(json_object_get(largest, "Driver"));
    if (count == 0 && !task->has_made_network)
        make_network(task);
    else if (count == 0)
        fail(task, -EPROTO, "the Docker Engine makes no network");
    else if (!driver || strcmp(driver, "host") == 0 || strcmp(driver, "null") == 0)
        fail(task, -EPERM, "the network is the host's or nobody's");
    else if (count > 1 && is_twin(task, largest))
        remove_network(task, largest);
    else
        on_network_there(task);
}

static void look_for_network(struct dockhand_task *task)
{
    char path[ENGINE_PATH_BYTES] = "/networks?filters=";

    append_filters(json_pack("{s:[s]}", "name", task->dockhand->charter.network), path);
    ask(task, METHOD_GET, path, NULL, TIMEOUT_MS, on_networks);
}

static void need_network(struct dockhand_task *task, step_fn then)
{
    struct dockhand *dockhand = task->dockhand;

    task->after_network = then;
    if (dockhand->knows_network) {
        then(task, 0, NULL, NULL);
        return;
    }
    if (dockhand->network_seeker) {
        list_append(&dockhand->network_waiters, &task->waiter);
        return;
    }
    dockhand->network_seeker = task;
    look_for_network(task);
}

/* ---- create ---- */

static void on_holder(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const json_t *labels = json_object_get(json_object_get(body, "Config"), "Labels");
    const char *replica = json_string_value(json_object_get(labels, DOCKHAND_LABEL_REPLICA));
    const char *id = json_string_value(json_object_get(body, "Id"));
    char text[ERROR_TEXT_BYTES];

    if (status == 404) {
        fail(task, -EAGAIN, "the name was taken and is free again");
        return;
    }
    if (status != 200 || !id) {
        fail_by_engine(task, status, body, why);
        return;
    }
    snprintf(text, sizeof(text), "a container '%s' is there already", task->order.name);
    if (dockhand_charter_owns(&task->dockhand->charter, labels) && replica &&
        strcmp(replica, task->order.replica) == 0)
        fail_with(task, -EALREADY, text, id);
    else if (replica)
        fail(task, -EADDRINUSE, text);
    else
        fail(task, -EEXIST, text);
}

static void on_created(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const char *id = json_string_value(json_object_get(body, "Id"));
    char text[ERROR_TEXT_BYTES];

    if (status == 201 && id && dockhand_order_is_container(id)) {
        succeed(task, json_pack("{s:s}", "container", id));
        return;
    }
    if (status == 409) {
        ask_container(task, METHOD_GET, task->order.name, "/json", TIMEOUT_MS, on_holder);
        return;
    }
    if (status != 404) {
        fail_by_engine(task, status, body, why);
        return;
    }
    snprintf(text, sizeof(text), "there is no image '%s' here: pull or build it first",
             task->dockhand->charter.image);
    fail(task, -ENOENT, text);
}

static void create(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    char *text = dockhand_charter_body(&task->dockhand->charter, task->order.replica);
    char path[ENGINE_PATH_BYTES];

    (void)status;
    (void)body;
    (void)why;
    snprintf(path, sizeof(path), "/containers/create?name=%s", task->order.name);
    ask(task, METHOD_POST, path, text, CREATE_MS, on_created);
    free(text);
}

/* ---- what is known of one container ---- */

static const char *address_in(const json_t *body, const char *network)
{
    const json_t *networks = json_object_get(json_object_get(body, "NetworkSettings"), "Networks");
    const json_t *place = json_object_get(networks, network);
    const char *address = json_string_value(json_object_get(place, "IPAddress"));

    if (address && *address)
        return address;
    address = json_string_value(json_object_get(place, "GlobalIPv6Address"));
    return address ? address : "";
}

static json_t *describe(const struct dockhand_task *task, const json_t *body)
{
    const json_t *state = json_object_get(body, "State");
    const json_t *labels = json_object_get(json_object_get(body, "Config"), "Labels");
    const char *replica = json_string_value(json_object_get(labels, DOCKHAND_LABEL_REPLICA));
    json_int_t code = json_integer_value(json_object_get(state, "ExitCode"));
    json_int_t pid = json_integer_value(json_object_get(state, "Pid"));

    return json_pack("{s:s,s:s,s:b,s:b,s:b,s:I,s:I,s:s}", "container", task->order.container,
                     "replica", replica ? replica : "", "running",
                     json_is_true(json_object_get(state, "Running")), "paused",
                     json_is_true(json_object_get(state, "Paused")), "oom",
                     json_is_true(json_object_get(state, "OOMKilled")), "exit_code", code, "pid",
                     pid, "address", address_in(body, task->dockhand->charter.network));
}

/* Looks at the labels before anything is done to it. */
static bool is_ours(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const json_t *labels = json_object_get(json_object_get(body, "Config"), "Labels");

    if (status != 200) {
        fail_by_engine(task, status, body, why);
        return false;
    }
    if (dockhand_charter_owns(&task->dockhand->charter, labels))
        return true;
    fail(task, -EPERM, "this container is not ours");
    return false;
}

static void check_then(struct dockhand_task *task, step_fn step)
{
    ask_container(task, METHOD_GET, task->order.container, "/json", TIMEOUT_MS, step);
}

static void inspect(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    if (is_ours(task, status, body, why))
        succeed(task, describe(task, body));
}

/* ---- start ---- */

static void start_it(struct dockhand_task *task, int status, json_t *body, const char *why);

static void on_started(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const char *message = json_string_value(json_object_get(body, "message"));

    if (status == 204 || status == 304) {
        check_then(task, inspect);
        return;
    }
    if (status > 0 && message && strstr(message, "network") && ++task->tries < NETWORK_TRIES) {
        /* Somebody has removed it. */
        task->dockhand->knows_network = false;
        need_network(task, start_it);
        return;
    }
    fail_by_engine(task, status, body, why);
}

static void start_it(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    (void)status;
    (void)body;
    (void)why;
    ask_container(task, METHOD_POST, task->order.container, "/start", CREATE_MS, on_started);
}

static void start(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    if (is_ours(task, status, body, why))
        start_it(task, 0, NULL, NULL);
}

/* ---- stop and remove ---- */

static void on_stopped(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    if (status == 204 || status == 304)
        succeed(task, NULL);
    else
        fail_by_engine(task, status, body, why);
}

static void stop(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    char tail[ITEM_TEXT_BYTES];

    if (!is_ours(task, status, body, why))
        return;
    snprintf(tail, sizeof(tail), "/stop?t=%" PRIu32, task->order.grace_s);
    ask_container(task, METHOD_POST, task->order.container, tail,
                  task->order.grace_s * 1000u + STOP_SLACK_MS, on_stopped);
}

static void on_removed(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    if (status == 204 || status == 404)
        succeed(task, NULL);
    else if (status == 409)
        fail(task, -EAGAIN, "it is being removed");
    else
        fail_by_engine(task, status, body, why);
}

static void remove_it(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    if (is_ours(task, status, body, why))
        ask_container(task, METHOD_DELETE, task->order.container, "?force=1&v=1", CREATE_MS,
                      on_removed);
}

/* ---- list ---- */

static void on_list(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    const json_t *container;
    size_t i;

    if (status != 200 || !json_is_array(body)) {
        fail_by_engine(task, status, body, why);
        return;
    }
    json_array_foreach(body, i, container)
    {
        const json_t *labels = json_object_get(container, "Labels");
        const char *id = json_string_value(json_object_get(container, "Id"));
        const char *state = json_string_value(json_object_get(container, "State"));
        const char *replica = json_string_value(json_object_get(labels, DOCKHAND_LABEL_REPLICA));

        if (!id || !state || !replica || !dockhand_charter_owns(&task->dockhand->charter, labels))
            continue;
        say_item(task,
                 json_pack("{s:s,s:s,s:s}", "container", id, "replica", replica, "state", state));
    }
    succeed(task, NULL);
}

static void list_them(struct dockhand_task *task)
{
    char path[ENGINE_PATH_BYTES] = "/containers/json?all=1&filters=";
    json_t *filters = json_object();

    add_label_filter(task->dockhand, filters);
    append_filters(filters, path);
    ask(task, METHOD_GET, path, NULL, LIST_MS, on_list);
}

/* ---- events ---- */

static void on_line(void *owner, struct view line)
{
    struct dockhand_task *task = owner;
    json_t *root;
    const json_t *actor;
    const json_t *attributes;
    const char *what;
    const char *id;
    const char *code;
    json_int_t time;

    if (!line.data) {
        say_item(task, json_pack("{s:s}", "event", "opened"));
        return;
    }
    root = json_loadb(line.data, line.size, 0, NULL);
    actor = json_object_get(root, "Actor");
    attributes = json_object_get(actor, "Attributes");
    what = json_string_value(json_object_get(root, "Action"));
    id = json_string_value(json_object_get(actor, "ID"));
    code = json_string_value(json_object_get(attributes, "exitCode"));
    time = json_integer_value(json_object_get(root, "timeNano"));
    if (what && id && dockhand_charter_owns(&task->dockhand->charter, attributes))
        say_item(task, json_pack("{s:s,s:s,s:i,s:I}", "event", what, "container", id, "exit_code",
                                 code ? atoi(code) : 0, "time", time));
    json_decref(root);
}

static void on_events_ended(struct dockhand_task *task, int status, json_t *body, const char *why)
{
    fail_by_engine(task, status, body, why);
}

static void listen_to_events(struct dockhand_task *task)
{
    char path[ENGINE_PATH_BYTES] = "/events?filters=";
    const struct engine_request request = {
        .method = METHOD_GET,
        .path = path,
        .timeout_ms = LIST_MS,
        .on_line = on_line,
        .done = on_answer,
        .owner = task,
    };
    json_t *filters = json_pack("{s:[s],s:[s,s,s,s]}", "type", "container", "event", "die", "oom",
                                "pause", "unpause");

    if (task->order.since[0])
        snprintf(path, sizeof(path), "/events?since=%s&filters=", task->order.since);
    add_label_filter(task->dockhand, filters);
    append_filters(filters, path);
    task->step = on_events_ended;
    task->call = engine_ask(&task->dockhand->engine, &request);
}

void dockhand_task_cancel_events(struct dockhand *dockhand)
{
    LIST_FOR_EACH (at, &dockhand->tasks) {
        struct dockhand_task *task = CONTAINER_OF(at, struct dockhand_task, list);

        if (task->order.verb == DOCKHAND_EVENTS)
            dispose(task);
    }
}

/* ---- orders ---- */

static void begin(struct dockhand_task *task)
{
    switch (task->order.verb) {
    case DOCKHAND_CREATE:
        need_network(task, create);
        return;
    case DOCKHAND_START:
        check_then(task, start);
        return;
    case DOCKHAND_STOP:
        check_then(task, stop);
        return;
    case DOCKHAND_REMOVE:
        check_then(task, remove_it);
        return;
    case DOCKHAND_INSPECT:
        check_then(task, inspect);
        return;
    case DOCKHAND_LIST:
        list_them(task);
        return;
    default:
        listen_to_events(task);
    }
}

void dockhand_task_start(struct dockhand *dockhand, const struct dockhand_order *order,
                         dockhand_task_fn on_done)
{
    struct dockhand_task *task = memory_allocate(sizeof(*task));

    task->dockhand = dockhand;
    task->order = *order;
    task->on_done = on_done;
    list_init(&task->waiter);
    list_append(&dockhand->tasks, &task->list);
    dockhand->task_count++;
    begin(task);
}

void dockhand_task_cancel_all(struct dockhand *dockhand)
{
    list_init(&dockhand->network_waiters);
    dockhand->network_seeker = NULL;
    LIST_FOR_EACH (at, &dockhand->tasks)
        dispose(CONTAINER_OF(at, struct dockhand_task, list));
}
