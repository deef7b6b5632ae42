/*
 * Any bytes as the body of a call of the API, over a connection to a keeper that has a pool and
 * nothing behind it: it does no changes. What this file's own idea of a call takes is asked of the
 * pool (which says 503), all else is 400, and a plan adds up. Each answer is one JSON object in the
 * form of its route. The first byte of an input chooses the call.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "insist.h"
#include "api/api_routes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "control/keeper.h"

#define NOW_US          UINT64_C(1000000000)
#define MEMBERS         4
#define INPUT_BYTES_MAX (16 * 1024)
#define ANSWER_BYTES    (1024 * 1024)
#define TURNS_MAX       1000
#define NAME_SIZE_MAX   63
#define COUNT_MAX       1000
#define WEIGHT_MAX      65535

static const char configuration[] =
    "services:\n"
    "  - name: web\n"
    "    replicas:\n"
    "      driver: static\n"
    "      addresses: {a: '127.0.0.1:1', b: '127.0.0.1:2', c: '127.0.0.1:3', d: '127.0.0.1:4'}\n"
    "    balance: {slots: 1024}\n";

static struct keeper keeper;
static struct config config;
static struct replica replicas[MEMBERS];

enum call { CLASSIC_ADD, CLASSIC_REMOVE, ADD, REMOVE, WEIGH, PLAN, CALLS };

static const char *const lines[CALLS] = {
    [CLASSIC_ADD] = "POST /add",      [CLASSIC_REMOVE] = "DELETE /rm",  [ADD] = "POST /v1/replicas",
    [REMOVE] = "DELETE /v1/replicas", [WEIGH] = "PATCH /v1/replicas/a", [PLAN] = "POST /v1/plan",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the keeper ---- */

static const struct supervisor_events no_events;
static const struct crew_events no_crew_events;

static void start(void)
{
    static char *const environment[] = {"HOME=/nowhere", NULL};
    const struct security_rules rules = {.token = NULL};
    struct crew *crew;
    struct error why;

    clock_set(NOW_US);
    INSIST(config_load_text(&config, "fuzz", view_of(configuration), false, NULL, environment, NULL,
                            &why) == 0);
    keeper.config = &config;
    INSIST(loop_init(&keeper.loop, &why) == 0);
    sock_group_init(&keeper.socks, &keeper.loop, 4 << 20);
    api_init(&keeper.api, &keeper, api_routes, &keeper.socks, &rules);
    supervisor_init(&keeper.supervisor, &keeper.socks, &no_events, &keeper);
    list_init(&keeper.workers.all);
    keeper.workers.gone = memory_allocate(sizeof(*keeper.workers.gone));
    keeper.publish.loop = &keeper.loop;
    keeper.publish.epoch = 7;
    crew = keeper.crews = memory_allocate(sizeof(*crew));
    crew_init(crew, &config, 0, &keeper.supervisor, &keeper.publish, &keeper.workers, NULL, NULL,
              &no_crew_events, NULL);
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct state_member row = {.id = i + 1, .weight = 1};

        snprintf(replicas[i].name, sizeof(replicas[i].name), "%c", (char)('a' + i));
        replicas[i].seat = i;
        replicas[i].plan = &crew->plan;
        crew_admit(crew, &replicas[i], &row);
    }
    crew_close(crew);
}

/* The answer, and its body as JSON. */
static unsigned ask(enum call call, struct view body, json_t **json)
{
    static char answer[ANSWER_BYTES];
    const struct address nobody = {.any.sa_family = AF_UNIX, .size = sizeof(sa_family_t)};
    char head[128];
    const char *end;
    size_t sent = 0;
    size_t got = 0;
    int pair[2];
    int length = snprintf(head, sizeof(head),
                          "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          lines[call], body.size);

    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    INSIST(send(pair[0], head, (size_t)length, MSG_NOSIGNAL) == length);
    api_accept(&keeper.api, pair[1], &nobody);
    for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
        ssize_t some =
            sent < body.size ? send(pair[0], body.data + sent, body.size - sent, MSG_NOSIGNAL) : 0;

        sent += some > 0 ? (size_t)some : 0;
        loop_turn(&keeper.loop, 0);
        some = recv(pair[0], answer + got, sizeof(answer) - got, 0);
        got += some > 0 ? (size_t)some : 0;
        if (some == 0)
            break;
        INSIST(turn + 1 < TURNS_MAX);
    }
    close(pair[0]);
    loop_turn(&keeper.loop, 0);
    end = memmem(answer, got, "\r\n\r\n", 4);
    INSIST(end && got > 12);
    *json = json_loadb(end + 4, got - (size_t)(end + 4 - answer), 0, NULL);
    INSIST(json_is_object(*json));
    return (unsigned)strtoul(answer + 9, NULL, 10);
}

/* ---- what a call is, once more ---- */

static bool is_name(const char *name)
{
    size_t size = name ? strlen(name) : 0;

    if (size == 0 || size > NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        bool is_edge = i == 0 || i + 1 == size;

        if ((unsigned char)name[i] >= 0x80)
            return false;
        if (!isalnum((unsigned char)name[i]) && (is_edge || !strchr(" ._-", name[i])))
            return false;
    }
    return true;
}

static bool are_names(const json_t *list)
{
    if (!list)
        return true;
    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!is_name(name))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(json_string_value(json_array_get(list, j)), name) == 0)
                return false;
        }
    }
    return true;
}

static bool is_between(const json_t *number, json_int_t least, json_int_t most)
{
    return json_is_integer(number) && json_integer_value(number) >= least &&
           json_integer_value(number) <= most;
}

/* Of so many keys each is one of those, or something else is there. */
static bool has_only(const json_t *body, const char *one, const char *other)
{
    return json_object_size(body) ==
           (size_t)(json_object_get(body, one) != NULL) + (json_object_get(body, other) != NULL);
}

static bool is_classic(const json_t *body)
{
    const json_t *names = json_object_get(body, "hostnames");
    const json_t *n = json_object_get(body, "n");

    return is_between(n, 1, COUNT_MAX) && are_names(names) &&
           (json_int_t)json_array_size(names) <= json_integer_value(n);
}

static bool is_change(const json_t *body)
{
    const json_t *names = json_object_get(body, "names");
    const json_t *count = json_object_get(body, "count");

    if (!has_only(body, "names", "count") || !are_names(names) ||
        json_array_size(names) > COUNT_MAX)
        return false;
    return !count || (is_between(count, 1, COUNT_MAX) &&
                      (json_int_t)json_array_size(names) <= json_integer_value(count));
}

static bool is_weight(const json_t *body)
{
    const json_t *weight = json_object_get(body, "weight");
    const json_t *drain = json_object_get(body, "drain");

    if (json_object_size(body) != 1)
        return false;
    return weight ? is_between(weight, 0, WEIGHT_MAX) : json_is_boolean(drain);
}

static bool is_call(enum call call, const json_t *body)
{
    if (!json_is_object(body))
        return false;
    if (call == CLASSIC_ADD || call == CLASSIC_REMOVE)
        return is_classic(body);
    return call == WEIGH ? is_weight(body) : is_change(body);
}

/* ---- what is answered ---- */

static json_int_t number_in(const json_t *json, const char *key)
{
    const json_t *number = json_object_get(json, key);

    INSIST(json_is_integer(number) && json_integer_value(number) >= 0);
    return json_integer_value(number);
}

static void check_plan(const json_t *plan)
{
    const json_t *moves = json_object_get(plan, "moves");
    const json_t *shares = json_object_get(plan, "shares");
    json_int_t moved = 0;
    double before = 0;
    double after = 0;

    for (size_t i = 0; i < json_array_size(moves); i++)
        moved += number_in(json_array_get(moves, i), "slots");
    INSIST(moved == number_in(plan, "moved") && moved <= number_in(plan, "slots"));
    INSIST(number_in(plan, "excess") == moved - number_in(plan, "minimum"));
    INSIST(number_in(plan, "epoch") == 7);
    for (size_t i = 0; i < json_array_size(shares); i++) {
        before += json_real_value(json_object_get(json_array_get(shares, i), "before"));
        after += json_real_value(json_object_get(json_array_get(shares, i), "after"));
    }
    INSIST(before > 0.999 && before < 1.001);
    INSIST(after < 1e-9 || (after > 0.999 && after < 1.001));
}

static void check_failure(enum call call, const json_t *json)
{
    const char *message = json_string_value(json_object_get(json, "message"));

    if (call != CLASSIC_ADD && call != CLASSIC_REMOVE) {
        message = json_string_value(json_object_get(json, "error"));
        INSIST(json_object_size(json) == 1 && message && *message);
        return;
    }
    INSIST(json_object_size(json) == 2 && message && strncmp(message, "<Error> ", 8) == 0);
    INSIST(strcmp(json_string_value(json_object_get(json, "status")), "failure") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text;
    enum call call;
    unsigned status;
    json_t *answer;
    json_t *body;

    if (!keeper.crews)
        start();
    if (size < 1 || size > INPUT_BYTES_MAX)
        return 0;
    call = (enum call)(data[0] % CALLS);
    text = (struct view){(const char *)data + 1, size - 1};
    status = ask(call, text, &answer);
    body = text.size ? json_loadb(text.data, text.size, 0, NULL) : NULL;
    if (call == PLAN && status == 200)
        check_plan(answer);
    else
        check_failure(call, answer);
    if (call == PLAN)
        INSIST(status == 200 || status == 400 || status == 404 || status == 409);
    else
        INSIST(status == (is_call(call, body) ? 503 : 400));
    INSIST(keeper.crews->count == MEMBERS);
    json_decref(body);
    json_decref(answer);
    return 0;
}
