#include "proxy/forward.h"

/* Fields of this name's beginning are ours: nobody else's are believed or passed to the keeper. */
#define OUR_PREFIX VIEW("X-Roost-")

/* More hops than that are none of our business. */
#define MAX_FORWARDS_MAX 1000000

static size_t fields_bytes(const struct field *fields, unsigned count)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        bytes += fields[i].name.size + fields[i].value.size + 4;
    return bytes;
}

static bool is_ours(const struct field *field)
{
    return field->name.size >= OUR_PREFIX.size &&
           view_equals_nocase(view_first(field->name, OUR_PREFIX.size), OUR_PREFIX);
}

/* The hops that an OPTIONS request has left; false where it does not say. */
static bool read_max_forwards(const struct head *head, const struct field *field, uint64_t *hops)
{
    return head->method == METHOD_OPTIONS && field->id == FIELD_OTHER && !field->is_dropped &&
           view_equals_nocase(field->name, VIEW("Max-Forwards")) &&
           view_to_number(field->value, MAX_FORWARDS_MAX, hops) == 0;
}

bool forward_is_final(const struct head *head)
{
    uint64_t hops;

    for (unsigned i = 0; head->method == METHOD_OPTIONS && i < head->field_count; i++) {
        if (read_max_forwards(head, &head->fields[i], &hops) && hops == 0)
            return true;
    }
    return false;
}

size_t forward_request_bytes(const struct head *head)
{
    return fields_bytes(head->fields, head->field_count) + head->method_text.size +
           head->target.size + FORWARD_EXTRA_BYTES;
}

/* Whom a trusted client forwards for stays in the list, the client itself follows. */
static void write_forwarded_for(struct h1_writer *writer, const struct head *head,
                                const struct forward_request *given)
{
    h1_write_bytes(writer, VIEW("X-Forwarded-For: "));
    for (unsigned i = 0; given->is_trusted && i < head->field_count; i++) {
        const struct field *field = &head->fields[i];

        if (field->id != FIELD_X_FORWARDED_FOR || field->is_dropped || !field->value.size)
            continue;
        h1_write_bytes(writer, field->value);
        h1_write_bytes(writer, VIEW(", "));
    }
    h1_write_bytes(writer, given->client_ip);
    h1_write_bytes(writer, VIEW("\r\n"));
}

/* Does the client say it, and is it passed on? One that Connection names is for us alone. */
static bool has_said(const struct head *head, enum field_id id, const struct forward_request *given)
{
    for (unsigned i = 0; given->is_trusted && i < head->field_count; i++) {
        if (head->fields[i].id == id && !head->fields[i].is_dropped)
            return true;
    }
    return false;
}

/* A trusted client's word stands; else it is ours. */
static void write_forwarded(struct h1_writer *writer, const struct head *head,
                            const struct forward_request *given)
{
    struct view host = head->host.data ? head->host : given->default_host;

    write_forwarded_for(writer, head, given);
    if (!has_said(head, FIELD_X_FORWARDED_PROTO, given))
        h1_write_field(writer, VIEW("X-Forwarded-Proto"), VIEW("http"));
    if (!has_said(head, FIELD_X_FORWARDED_HOST, given))
        h1_write_field(writer, VIEW("X-Forwarded-Host"), host);
}

static bool is_passed(const struct field *field, const struct forward_request *given)
{
    if (field->is_dropped)
        return false;
    switch (field->id) {
    case FIELD_HOST:
    case FIELD_X_FORWARDED_FOR:
        return false;
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FORWARDED_HOST:
        return given->is_trusted;
    case FIELD_OTHER:
    case FIELD_X_ROOST_PREVIOUS_OWNER:
    case FIELD_X_ROOST_REPLICA:
        return !is_ours(field);
    default:
        return true;
    }
}

/* Writes it and says where its value stands. */
static struct view write_request_id(struct h1_writer *writer, struct view name, struct view value)
{
    struct view place = {writer->at + name.size + 2, value.size};

    h1_write_field(writer, name, value);
    return place;
}

struct view forward_request_head(struct h1_writer *writer, const struct head *head,
                                 const struct forward_request *given)
{
    struct view request_id = {NULL, 0};

    h1_write_request_line(writer, head->method_text, head->target);
    h1_write_field(writer, VIEW("Host"), head->host.data ? head->host : given->default_host);
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        uint64_t hops;

        if (!is_passed(field, given))
            continue;
        if (UNLIKELY(head->method == METHOD_OPTIONS) && read_max_forwards(head, field, &hops))
            h1_write_number_field(writer, field->name, hops - 1);
        else if (field->id == FIELD_X_REQUEST_ID && !request_id.data)
            request_id = write_request_id(writer, field->name, field->value);
        else
            h1_write_field(writer, field->name, field->value);
    }
    write_forwarded(writer, head, given);
    if (given->request_id.size)
        request_id = write_request_id(writer, VIEW("X-Request-ID"), given->request_id);
    if (given->link.size)
        h1_write_field(writer, VIEW("X-Roost-Link"), given->link);
    if (head->asks_upgrade)
        h1_write_field(writer, VIEW("Upgrade"), head->upgrade);
    else if (head->accepts_trailers)
        h1_write_bytes(writer, VIEW("TE: trailers\r\nConnection: TE\r\n"));
    return request_id;
}

size_t forward_answer_bytes(const struct head *head)
{
    return fields_bytes(head->fields, head->field_count) + head->reason.size + FORWARD_EXTRA_BYTES;
}

/* What was switched to is the replica's word (RFC 9110 15.2.2). */
static void write_switched(struct h1_writer *writer, const struct head *head)
{
    const struct field *upgrade = head_find(head, FIELD_UPGRADE);

    if (upgrade)
        h1_write_field(writer, VIEW("Upgrade"), upgrade->value);
}

void forward_answer_head(struct h1_writer *writer, const struct head *head,
                         const struct forward_answer *given)
{
    h1_write_status_line(writer, head->status, head->reason);
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        bool is_replaced =
            (given->replica.size && field->id == FIELD_X_ROOST_REPLICA) ||
            (given->is_held && view_equals_nocase(field->name, VIEW("X-Roost-Held")));

        if (!field->is_dropped && !is_replaced)
            h1_write_field(writer, field->name, field->value);
    }
    /* Without a body the length still says what a GET would have got (RFC 9110 8.6). */
    if (head->has_content_length && head->body.kind == FRAMING_NONE && head->status >= 200 &&
        head->status != 204)
        h1_write_number_field(writer, VIEW("Content-Length"), head->content_length);
    if (head->body.kind == FRAMING_TUNNEL)
        write_switched(writer, head);
    if (given->replica.size)
        h1_write_field(writer, VIEW("X-Roost-Replica"), given->replica);
    if (given->is_held)
        h1_write_number_field(writer, VIEW("X-Roost-Held"), given->held_ms);
    if (given->request_id.size && !head_find(head, FIELD_X_REQUEST_ID))
        h1_write_field(writer, VIEW("X-Request-ID"), given->request_id);
}

size_t forward_trailers_bytes(const struct field *fields, unsigned count)
{
    return fields_bytes(fields, count);
}

void forward_trailers(struct h1_writer *writer, const struct field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!fields[i].is_dropped)
            h1_write_field(writer, fields[i].name, fields[i].value);
    }
}
