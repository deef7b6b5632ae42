#include "api/api_classic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "control/keeper.h"

static struct crew *first_crew(const struct api_request *request)
{
    return &request->api->keeper->crews[0];
}

static void answer_pool(struct api_request *request)
{
    const struct crew *crew = first_crew(request);
    json_t *names = json_array();

    LIST_FOR_EACH (at, &crew->members) {
        json_array_append_new(names, json_string(CONTAINER_OF(at, struct crew_member, list)->name));
    }
    api_answer_json(request, 200,
                    json_pack("{s:{s:i, s:o}, s:s}", "message", "N", (int)crew->count, "replicas",
                              names, "status", "successful"));
}

void api_classic_list(struct api_request *request)
{
    answer_pool(request);
}

static bool is_word_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

bool api_classic_is_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size >= CREW_NAME_BYTES)
        return false;
    if (!is_word_byte(name[0]) || !is_word_byte(name[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_word_byte(name[i]) && !strchr(" ._-", name[i]))
            return false;
    }
    return true;
}

uint16_t api_classic_status(int result)
{
    switch (result) {
    case 0:
        return 200;
    case -EEXIST:
    case -E2BIG:
    case -ENOSPC:
    case -ENOTSUP:
        return 409;
    case -ENOENT:
        return 404;
    case -ERANGE:
        return 400;
    case -ESTALE:
        return 412;
    case -ECHILD:
        return 502;
    default:
        return 503;
    }
}

/* True where it is a list of texts or not there at all; else it was answered. */
static bool check_hostnames(struct api_request *request, const json_t *hostnames)
{
    const json_t *name;
    size_t i;

    if (!hostnames)
        return true;
    if (!json_is_array(hostnames)) {
        api_fail(request, 400, "'hostnames' is not a list of strings");
        return false;
    }
    json_array_foreach(hostnames, i, name)
    {
        if (json_is_string(name))
            continue;
        api_fail(request, 400, "'hostnames' is not a list of strings");
        return false;
    }
    return true;
}

static bool check_n(struct api_request *request, const json_t *n)
{
    if (!n)
        api_fail(request, 400, "'n' is missing");
    else if (!json_is_integer(n))
        api_fail(request, 400, "'n' is not an integer");
    else if (json_integer_value(n) < 1 || json_integer_value(n) > CREW_CHANGE_MAX)
        api_fail(request, 400, "'n' is not between 1 and %d", CREW_CHANGE_MAX);
    else
        return true;
    return false;
}

static bool take_names(struct api_request *request, const json_t *hostnames, struct crew_wish *wish)
{
    const json_t *name;
    size_t i;

    wish->names = memory_allocate((json_array_size(hostnames) + 1) * sizeof(*wish->names));
    json_array_foreach(hostnames, i, name)
    {
        const char *text = json_string_value(name);

        if (!api_classic_is_name(text)) {
            api_fail(request, 400,
                     "'%s' is not a name: 1 to 63 letters, digits, spaces, '.', '_' or '-', the "
                     "first and the last a letter or digit",
                     text);
            return false;
        }
        for (unsigned j = 0; j < wish->name_count; j++) {
            if (strcmp(wish->names[j], text) != 0)
                continue;
            api_fail(request, 400, "'%s' is in the list twice", text);
            return false;
        }
        snprintf(wish->names[wish->name_count++], CREW_NAME_BYTES, "%s", text);
    }
    return true;
}

/* Reads the call's body. False after an answer; wish->names is to be freed in any case. */
static bool read_wish(struct api_request *request, const json_t *body, const char *kind,
                      struct crew_wish *wish)
{
    const json_t *hostnames = json_object_get(body, "hostnames");
    const json_t *n = json_object_get(body, "n");

    if (!check_n(request, n) || !check_hostnames(request, hostnames))
        return false;
    wish->count = (unsigned)json_integer_value(n);
    if (json_array_size(hostnames) > wish->count) {
        api_fail(request, 400, "Length of hostname list is more than %s instances", kind);
        return false;
    }
    return take_names(request, hostnames, wish);
}

/* As the assignment words it, whatever the list of names is. */
static const char too_many_to_remove[] = "Length of hostname list is more than removable instances";

static void on_done(void *owner, int result, const char *why, char (*names)[CREW_NAME_BYTES],
                    unsigned count)
{
    struct api_request *request = owner;

    (void)names;
    (void)count;
    if (result == 0)
        answer_pool(request);
    else
        api_fail(request, api_classic_status(result), "%s",
                 result == -ERANGE ? too_many_to_remove : why);
    api_release(request);
}

static void change(struct api_request *request, enum crew_kind kind)
{
    json_t *body = api_read_json(request);
    struct crew_wish wish = {.kind = kind, .who = request->client, .cause = request->route->path};

    if (!body)
        return;
    if (read_wish(request, body, kind == CREW_REMOVE ? "removable" : "newly added", &wish)) {
        api_hold(request);
        crew_ask(first_crew(request), &wish, on_done, request);
    }
    json_decref(body);
    free(wish.names);
}

void api_classic_add(struct api_request *request)
{
    change(request, CREW_ADD);
}

void api_classic_remove(struct api_request *request)
{
    change(request, CREW_REMOVE);
}
