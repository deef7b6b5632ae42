#include "http/h1_rules.h"

#include "http/authority.h"
#include "http/h1_class.h"

/* What was met on the way through the fields. */
struct tally {
    struct field *host; /* the first */
    const struct field *length;
    const struct field *encoding;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    unsigned elements; /* of all lists that were read */
    bool says_close;
    bool says_keep_alive;
    bool says_upgrade; /* Connection: upgrade */
    bool has_websocket;
    struct view protocol; /* of Upgrade, beside websocket */
    unsigned protocols;   /* how many of those */
};

static bool is_token(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!h1_class_is(text.data[i], H1_CLASS_TOKEN))
            return false;
    }
    return text.size > 0;
}

/* The next element of a list, or false at its end or at the limit of all lists together. */
static bool next_element(struct tally *tally, struct view *list, struct view *element)
{
    return tally->elements <= H1_RULES_LIST_ELEMENTS_MAX && view_next_in_list(list, element) &&
           ++tally->elements <= H1_RULES_LIST_ELEMENTS_MAX;
}

static void read_upgrade(struct view list, struct tally *tally)
{
    struct view element;

    while (next_element(tally, &list, &element)) {
        if (view_equals_nocase(element, VIEW("websocket"))) {
            tally->has_websocket = true;
            continue;
        }
        tally->protocol = element;
        tally->protocols++;
    }
}

static bool list_has(struct tally *tally, struct view list, struct view wanted)
{
    struct view element;
    bool is_there = false;

    while (next_element(tally, &list, &element))
        is_there |= view_equals_nocase(element, wanted);
    return is_there;
}

/* Fields that Connection cannot take away: what frames and routes a message (the proxy would read
 * one message and its receiver another). */
static bool is_protected(enum field_id id)
{
    return id == FIELD_HOST || id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING;
}

static void drop_named(struct head *head, struct view name)
{
    for (uint16_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];

        if (view_equals_nocase(field->name, name) && !is_protected(field->id))
            field->is_dropped = true;
    }
}

/* RFC 9110 7.6.1. */
static const char *read_connection(struct head *head, struct view list, struct tally *tally)
{
    struct view option;

    while (next_element(tally, &list, &option)) {
        if (!is_token(option))
            return "Connection is no list of tokens";
        if (view_equals_nocase(option, VIEW("close")))
            tally->says_close = true;
        else if (view_equals_nocase(option, VIEW("keep-alive")))
            tally->says_keep_alive = true;
        else if (view_equals_nocase(option, VIEW("upgrade")))
            tally->says_upgrade = true;
        else
            drop_named(head, option);
    }
    return NULL;
}

static const char *read_field(struct head *head, struct field *field, struct tally *tally)
{
    switch (field->id) {
    case FIELD_CONNECTION:
        field->is_dropped = true;
        return read_connection(head, field->value, tally);
    case FIELD_HOST:
        tally->host = tally->hosts++ ? tally->host : field;
        return NULL;
    case FIELD_CONTENT_LENGTH:
        field->is_dropped = true;
        tally->lengths++;
        tally->length = field;
        return NULL;
    case FIELD_TRANSFER_ENCODING:
        field->is_dropped = true;
        tally->encodings++;
        tally->encoding = field;
        return NULL;
    case FIELD_UPGRADE:
        field->is_dropped = true;
        head->has_upgrade = true;
        read_upgrade(field->value, tally);
        return NULL;
    case FIELD_TE:
        field->is_dropped = true;
        head->accepts_trailers |= list_has(tally, field->value, VIEW("trailers"));
        return NULL;
    case FIELD_EXPECT:
        /* RFC 9110 10.1.1: HTTP/1.0 has no Expect, so it is not passed on either. */
        field->is_dropped |= head->minor_version == 0;
        head->expects_continue |=
            list_has(tally, field->value, VIEW("100-continue")) && head->minor_version > 0;
        return NULL;
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_HTTP2_SETTINGS:
        field->is_dropped = true;
        return NULL;
    default:
        return NULL;
    }
}

/* A protocol name and its version (RFC 9110 7.8). */
static bool is_protocol(struct view text)
{
    size_t slash = view_find(text, '/');

    return is_token(view_first(text, slash)) &&
           (slash == text.size || is_token(view_after(text, slash + 1)));
}

/* Versions of HTTP, and TLS below it, are spoken with us or not at all: a tunnel to them would let
 * requests pass that nobody has looked at. */
static bool is_ours(struct view protocol)
{
    struct view name = view_first(protocol, view_find(protocol, '/'));

    return view_equals_nocase(name, VIEW("h2c")) || view_equals_nocase(name, VIEW("h2")) ||
           view_equals_nocase(name, VIEW("HTTP")) || view_equals_nocase(name, VIEW("TLS"));
}

/* What a request may ask to switch to: WebSocket with GET (RFC 6455 4.1), else the only protocol it
 * names; empty for nothing. */
static struct view asked_protocol(const struct head *head, const struct tally *tally)
{
    if (!tally->says_upgrade || head->minor_version == 0)
        return (struct view){NULL, 0};
    if (tally->has_websocket)
        return head->method == METHOD_GET ? VIEW("websocket") : (struct view){NULL, 0};
    if (tally->protocols != 1 || !is_protocol(tally->protocol) || is_ours(tally->protocol))
        return (struct view){NULL, 0};
    return tally->protocol;
}

/* Content-Length and Transfer-Encoding of either kind of message (RFC 9112 6.1 to 6.3): anything
 * two readers could read in two ways is refused. */
static const char *read_framing(struct head *head, const struct tally *tally)
{
    if (tally->encodings) {
        if (tally->encodings > 1 || !view_equals_nocase(tally->encoding->value, VIEW("chunked")))
            return "Transfer-Encoding is not exactly chunked";
        if (head->minor_version == 0)
            return "Transfer-Encoding in HTTP/1.0";
        if (tally->lengths)
            return "Content-Length beside Transfer-Encoding";
        head->has_transfer_encoding = true;
        return NULL;
    }
    if (!tally->lengths)
        return NULL;
    if (tally->lengths > 1)
        return "Content-Length is repeated";
    if (view_to_number(tally->length->value, INT64_MAX, &head->content_length) < 0)
        return "Content-Length is no number of bytes";
    head->has_content_length = true;
    return NULL;
}

/* Everything but the start line starts from nothing. */
static const char *read_fields(struct head *head, struct tally *tally)
{
    const char *reason = NULL;

    head->asks_upgrade = false;
    head->upgrade = (struct view){NULL, 0};
    head->expects_continue = false;
    head->accepts_trailers = false;
    head->has_upgrade = false;
    head->has_transfer_encoding = false;
    head->has_content_length = false;
    head->content_length = 0;
    head->body = (struct body_framing){.kind = FRAMING_NONE};
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == FIELD_OTHER)
            continue;
        reason = read_field(head, &head->fields[i], tally);
        if (reason)
            return reason;
    }
    if (tally->elements > H1_RULES_LIST_ELEMENTS_MAX)
        return "lists have too many elements";
    /* RFC 9112 9.3: close wins over keep-alive. */
    head->says_close = tally->says_close || (head->minor_version == 0 && !tally->says_keep_alive);
    return read_framing(head, tally);
}

/* RFC 9112 3.2.2: the authority of an absolute-form replaces what Host says. */
static const char *read_host(struct head *head, const struct tally *tally)
{
    if (tally->hosts > 1)
        return "Host is repeated";
    if (!tally->hosts && head->minor_version > 0)
        return "Host is missing";
    if (tally->host && !authority_is_valid(tally->host->value))
        return "Host is malformed";
    if (!tally->host)
        return NULL;
    if (head->host.data)
        tally->host->value = head->host;
    else
        head->host = tally->host->value;
    return NULL;
}

static struct body_framing request_framing(const struct head *head)
{
    if (head->has_transfer_encoding)
        return (struct body_framing){.kind = FRAMING_CHUNKED};
    if (head->has_content_length)
        return (struct body_framing){.kind = FRAMING_LENGTH, .length = head->content_length};
    return (struct body_framing){.kind = FRAMING_NONE};
}

const char *h1_rules_request(struct head *head)
{
    struct tally tally = {.hosts = 0};
    const char *reason = read_fields(head, &tally);
    bool has_body;

    if (!reason)
        reason = read_host(head, &tally);
    if (reason)
        return reason;
    head->status = 0;
    head->reason = (struct view){.data = NULL};
    head->body = request_framing(head);
    /* A handshake with a body would have to be read to its end before the tunnel (RFC 9110 7.8):
     * nobody sends one, so it is an ordinary request here. */
    has_body = head->body.kind != FRAMING_NONE && head->body.length + head->has_transfer_encoding;
    if (!has_body)
        head->upgrade = asked_protocol(head, &tally);
    head->asks_upgrade = head->upgrade.size > 0;
    return NULL;
}

const char *h1_rules_answer(struct head *head)
{
    struct tally tally = {.hosts = 0};

    head->method = METHOD_OTHER;
    head->method_text = head->target = head->path = (struct view){.data = NULL};
    head->query = head->host = (struct view){.data = NULL};
    return read_fields(head, &tally);
}
