#include "ctl/ctl_events.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/word.h"
#include "ctl/ctl_ask.h"
#include "ctl/ctl_find.h"

#define ALL_LAST        "/v1/events?last=4096&follow=false"
#define SOME_LAST       "/v1/events?last=20"
#define EVENT_BYTES_MAX (1u << 20)
#define AGAIN_S         1
#define TIME_AT         11 /* in 2026-11-20T05:00:00.123Z */
#define TIME_BYTES      12

/* The stream as it is read. */
struct reader {
    const struct ctl *ctl;
    struct buffer kept; /* the beginning of a line */
    char id[CTL_CLIENT_TAG_BYTES];
    bool is_first; /* nothing has been printed of this connection yet */
};

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));

    return text ? text : "";
}

static void print_moved(const json_t *event)
{
    json_int_t moved = json_integer_value(json_object_get(event, "moved"));

    if (!json_is_integer(json_object_get(event, "slots")))
        return;
    printf(", moved %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
           " slots (minimum %" JSON_INTEGER_FORMAT ", excess %" JSON_INTEGER_FORMAT ")",
           moved, json_integer_value(json_object_get(event, "slots")),
           json_integer_value(json_object_get(event, "minimum")),
           json_integer_value(json_object_get(event, "excess")));
}

/* What happens to a replica has a reason; what happens to a pool, somebody who asked for it. */
static void print_cause(const json_t *event)
{
    const char *cause = text_of(event, "cause");

    if (!cause[0])
        return;
    printf("  %s", cause);
    if (!view_starts_with(view_of(text_of(event, "what")), VIEW("replica.")))
        printf(" by %s", text_of(event, "who"));
}

/* "05:54:16.610  pool.added  web  S4, S5  POST /v1/replicas by 127.0.0.1, moved ..." */
static void print_event(const json_t *event)
{
    const char *at = text_of(event, "at");
    json_t *name;
    size_t i;

    if (strcmp(text_of(event, "what"), "gap") == 0) {
        puts("(some events between are forgotten)");
        return;
    }
    printf("%.*s  %-16s  %s  ", TIME_BYTES, strlen(at) > TIME_AT ? at + TIME_AT : "",
           text_of(event, "what"), text_of(event, "service"));
    json_array_foreach(json_object_get(event, "replicas"), i, name)
        printf("%s%s", i ? ", " : "", json_string_value(name));
    print_cause(event);
    print_moved(event);
    puts("");
}

static void take_line(struct reader *reader, struct view line)
{
    struct view data;
    json_t *event;

    if (view_starts_with(line, VIEW("id: "))) {
        (void)!view_to_text(view_after(line, 4), reader->id, sizeof(reader->id));
        return;
    }
    if (!view_starts_with(line, VIEW("data: ")))
        return;
    data = view_after(line, 6);
    if (reader->ctl->options->is_json) {
        printf("%.*s\n", VIEW_ARGUMENTS(data));
        return;
    }
    event = json_loadb(data.data, data.size, 0, NULL);
    print_event(event);
    json_decref(event);
}

static bool on_bytes(void *owner, struct view bytes)
{
    struct reader *reader = owner;
    struct view text;
    size_t end;

    if (buffer_append(&reader->kept, bytes) < 0)
        return false;
    while (text = buffer_view(&reader->kept), (end = view_find(text, '\n')) < text.size) {
        take_line(reader, view_first(text, end));
        buffer_consume(&reader->kept, end + 1);
    }
    return fflush(stdout) == 0;
}

/* One connection. WORD_DONE: it ended as it should or may be tried again. */
static int follow_once(struct ctl *ctl, struct reader *reader, bool *is_reached)
{
    struct ctl_client_request request = {
        .method = METHOD_GET,
        .target = ctl->options->follows ? SOME_LAST : ALL_LAST,
        .last_event_id = reader->id[0] ? reader->id : NULL,
    };
    struct ctl_client_answer answer;
    struct error why;
    int result;
    int status = WORD_DONE;

    buffer_clear(&reader->kept);
    result = ctl_client_follow(&ctl->client, &request, on_bytes, reader, &answer, &why);
    *is_reached = answer.status == 200;
    if (answer.status && answer.status != 200) {
        ctl_ask_complain(&answer);
        status = WORD_FAILED;
    } else if (result < 0 && !(ctl->options->follows && (reader->id[0] || *is_reached))) {
        fprintf(stderr, "roost ctl: %s\n", why.text);
        status = WORD_FAILED;
    }
    ctl_client_forget(&answer);
    return status;
}

int ctl_events(struct ctl *ctl)
{
    struct reader reader = {.ctl = ctl};
    struct error why;
    bool is_reached;
    bool was_told = false;
    int status;

    buffer_init(&reader.kept, EVENT_BYTES_MAX);
    while ((status = follow_once(ctl, &reader, &is_reached)) == WORD_DONE &&
           ctl->options->follows) {
        if (ferror(stdout)) {
            status = WORD_FAILED;
            break;
        }
        was_told = was_told && !is_reached;
        if (!was_told)
            fputs("roost ctl: the connection is lost, trying again\n", stderr);
        was_told = true;
        sleep(AGAIN_S);
        /* It may be started anew, on another port. */
        (void)!ctl_find(ctl->options, &ctl->client, &why);
    }
    buffer_finish(&reader.kept);
    return status;
}
