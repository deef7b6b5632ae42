#include "ctl/ctl_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_BYTES 32

/* A text in a target, whatever it holds (RFC 3986 2.1). */
static void put_encoded(char target[CTL_CLIENT_TARGET_BYTES_MAX], const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t size = strlen(target);

    for (; *text && size + 4 < CTL_CLIENT_TARGET_BYTES_MAX; text++) {
        if (strchr(plain, *text))
            target[size++] = *text;
        else
            size += (size_t)snprintf(target + size, 4, "%%%02X", (unsigned char)*text);
    }
    target[size] = '\0';
}

static void put(char target[CTL_CLIENT_TARGET_BYTES_MAX], const char *text)
{
    strncat(target, text, CTL_CLIENT_TARGET_BYTES_MAX - strlen(target) - 1);
}

void ctl_ask_path(const struct ctl *ctl, const char *name, const char *rest,
                  char target[CTL_CLIENT_TARGET_BYTES_MAX])
{
    target[0] = '\0';
    if (ctl->options->service) {
        put(target, "/v1/services/");
        put_encoded(target, ctl->options->service);
        put(target, "/replicas");
    } else {
        put(target, "/v1/replicas");
    }
    if (name) {
        put(target, "/");
        put_encoded(target, name);
    }
    put(target, rest);
}

void ctl_ask_query(const struct ctl *ctl, const char *path, const char *parameter,
                   const char *value, char target[CTL_CLIENT_TARGET_BYTES_MAX])
{
    target[0] = '\0';
    put(target, path);
    put(target, "?");
    put(target, parameter);
    put(target, "=");
    put_encoded(target, value);
    if (!ctl->options->service)
        return;
    put(target, "&service=");
    put_encoded(target, ctl->options->service);
}

void ctl_ask_complain(const struct ctl_client_answer *answer)
{
    struct view body = buffer_view(&answer->body);
    json_t *json = json_loadb(body.data ? body.data : "", body.size, 0, NULL);
    const char *sentence = json_string_value(json_object_get(json, "error"));
    const json_t *errors = json_object_get(json, "errors");
    const json_t *error;
    size_t i;

    json_array_foreach(errors, i, error)
        fprintf(stderr, "roost ctl: %s\n", json_string_value(error));
    if (json_array_size(errors)) {
        json_decref(json);
        return;
    }
    if (sentence)
        fprintf(stderr, "roost ctl: %s\n", sentence);
    else
        fprintf(stderr, "roost ctl: the answer is %u: is this a roost's control port?\n",
                answer->status);
    json_decref(json);
}

static json_t *read_answer(const struct ctl *ctl, const struct ctl_client_answer *answer)
{
    struct view body = buffer_view(&answer->body);
    json_t *json;

    if (answer->status < 200 || answer->status > 299) {
        ctl_ask_complain(answer);
        return NULL;
    }
    json = json_loadb(body.data ? body.data : "", body.size, 0, NULL);
    if (!json_is_object(json)) {
        fprintf(stderr, "roost ctl: the answer is no JSON: is this a roost's control port?\n");
        json_decref(json);
        return NULL;
    }
    if (ctl->options->is_json)
        printf("%.*s\n", VIEW_ARGUMENTS(body));
    return json;
}

json_t *ctl_ask(struct ctl *ctl, enum method method, const char *target, json_t *body)
{
    const char *epoch = ctl->options->epoch;
    char tag[TAG_BYTES];
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct ctl_client_request request = {.method = method, .target = target, .body = text};
    struct ctl_client_answer answer;
    struct error why;
    json_t *json = NULL;

    if (epoch && method != METHOD_GET) {
        snprintf(tag, sizeof(tag), "\"%.20s\"", epoch);
        request.if_match = tag;
    }
    if (ctl_client_ask(&ctl->client, &request, &answer, &why) == 0)
        json = read_answer(ctl, &answer);
    else
        fprintf(stderr, "roost ctl: %s\n", why.text);
    ctl_client_forget(&answer);
    free(text);
    json_decref(body);
    return json;
}
