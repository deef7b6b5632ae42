#include "proxy/prepare.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "proxy/body.h"
#include "proxy/forward.h"
#include "proxy/json_pointer.h"
#include "proxy/record.h"

/* Room for the value of X-Roost-Link. */
#define LINK_VALUE_BYTES 96

/* Memory for the head as it will be sent: pooled where it fits. */
static void take_text(struct exchange *x, size_t bytes)
{
    struct proxy *proxy = x->proxy;

    x->text_pool = NULL;
    if (bytes <= PROXY_SHORT_TEXT_BYTES)
        x->text_pool = &proxy->short_texts;
    else if (bytes <= PROXY_TEXT_BYTES)
        x->text_pool = &proxy->texts;
    x->text_capacity = x->text_pool ? x->text_pool->object_bytes : bytes;
    x->text = x->text_pool ? pool_take(x->text_pool) : memory_allocate(bytes);
    if (!x->text_pool)
        sock_group_count_kept(proxy->socks, 0, bytes);
}

void prepare_give_text(struct exchange *x)
{
    if (x->text_pool) {
        pool_give(x->text_pool, x->text);
        return;
    }
    sock_group_count_kept(x->proxy->socks, x->text_capacity, 0);
    free(x->text);
}

bool prepare_is_long(const struct head *head)
{
    return forward_request_bytes(head) > PROXY_TEXT_BYTES;
}

/* Where the method and target stand in the text that was written. */
static void find_first_line(struct exchange *x)
{
    struct view line = {x->text, x->text_bytes};

    x->method_text = view_first(line, view_find(line, ' '));
    line = view_after(line, x->method_text.size + 1);
    x->target = view_first(line, view_find(line, ' '));
}

/* What is kept points into the text: the received bytes are gone when this callback returns. */
static void write_request(struct exchange *x, const struct forward_request *given)
{
    const struct head *head = x->news.request;
    /* The host stands in two fields. */
    size_t bytes = forward_request_bytes(head) + 2 * (given->default_host.size + head->host.size);
    struct h1_writer writer;

    take_text(x, bytes);
    h1_write_init(&writer, x->text, x->text_capacity);
    x->request_id = forward_request_head(&writer, head, given);
    assert(!writer.is_full);
    x->text_bytes = h1_write_result(&writer).size;
    x->text_kept_bytes = x->text_bytes;
    find_first_line(x);
    x->host = record_find_field((struct view){x->text, x->text_bytes}, VIEW("Host"));
}

void prepare_link_request(struct exchange *x)
{
    char link[LINK_VALUE_BYTES];

    snprintf(link, sizeof(link), "loopback=%d; ip=%.*s", x->from.is_loopback,
             VIEW_ARGUMENTS(x->from.ip));
    write_request(x, &(struct forward_request){
                         .client_ip = x->from.peer,
                         .default_host = VIEW("localhost"),
                         .link = view_of(link),
                     });
}

static bool wants_html(const struct head *head)
{
    const struct field *accept = head_find_named(head, VIEW("Accept"));

    return accept &&
           memmem(accept->value.data, accept->value.size, "text/html", strlen("text/html"));
}

static void hash_key(struct exchange *x, const struct table_service *service, struct view key)
{
    x->hash = balance_hash(table_image(x->proxy->table, service), key,
                           &x->proxy->services[x->service].load);
}

static bool has_body(const struct exchange *x)
{
    return x->body.kind == FRAMING_CHUNKED || (x->body.kind == FRAMING_LENGTH && x->body.length);
}

/* A drawn key becomes the request's id only when it is known that no other key is there. */
static void put_drawn_key_by(struct exchange *x, const struct key *key)
{
    if (!key->is_drawn)
        return;
    x->drawn_key_bytes = (uint8_t)key->text.size;
    memcpy(x->drawn_key, key->text.data, key->text.size);
}

bool prepare_request(struct exchange *x, const struct table_service *service)
{
    const struct head *head = x->news.request;
    struct forward_request given = {
        .client_ip = x->from.peer,
        .default_host = view_of(service->name),
        .is_trusted = x->from.is_trusted,
    };
    struct key key;
    bool waits;

    key_find(x->proxy->table, service, head, x->from.ip, &key);
    waits = has_body(x) && key_is_in_body(service, key.source);
    x->key_source = (uint8_t)key.source;
    x->is_keyed = !key.is_drawn;
    x->wants_html = x->is_root && wants_html(head);
    if (waits) {
        put_drawn_key_by(x, &key);
        body_limit_held(x, JSON_POINTER_BYTES_MAX > service->rules.retry_body_bytes
                               ? JSON_POINTER_BYTES_MAX
                               : service->rules.retry_body_bytes);
    } else if (key.is_drawn) {
        given.request_id = key.text;
    }
    hash_key(x, service, key.text);
    write_request(x, &given);
    return waits;
}

static void add_request_id(struct exchange *x)
{
    struct h1_writer writer;

    h1_write_init(&writer, x->text + x->text_bytes, x->text_capacity - x->text_bytes);
    h1_write_field(&writer, VIEW("X-Request-ID"), (struct view){x->drawn_key, x->drawn_key_bytes});
    assert(!writer.is_full);
    x->text_bytes += h1_write_result(&writer).size;
    x->text_kept_bytes = x->text_bytes;
    x->request_id = record_find_field((struct view){x->text, x->text_bytes}, VIEW("X-Request-ID"));
}

bool prepare_key_from_body(struct exchange *x, const struct table_service *service)
{
    struct view body = view_first(buffer_view(&x->held), JSON_POINTER_BYTES_MAX);
    bool is_all = x->is_request_whole || body.size == JSON_POINTER_BYTES_MAX || !x->holds_body;
    struct view key;

    switch (key_find_in_body(x->proxy->table, service, x->key_source, body, is_all, &key)) {
    case JSON_POINTER_FOUND:
        x->is_keyed = true;
        hash_key(x, service, key);
        return true;
    case JSON_POINTER_MORE:
        return false;
    default:
        if (x->drawn_key_bytes)
            add_request_id(x);
        return true;
    }
}

/* Who owned the slot before the pool was changed last; empty where that was the same one. */
static struct view previous_owner(const struct exchange *x, const struct table_service *service)
{
    const struct balance_image *previous = table_previous(x->proxy->table, service);
    unsigned member = previous ? balance_owner(previous, x->hash, 0, NULL) : BALANCE_NONE;
    struct view name;

    if (member == BALANCE_NONE || x->rank > 0)
        return (struct view){NULL, 0};
    name = view_of(balance_name(previous, member));
    return view_equals(name, view_of(x->replica)) ? (struct view){NULL, 0} : name;
}

void prepare_attempt(struct exchange *x, const struct table_service *service)
{
    struct view owner = previous_owner(x, service);
    struct h1_writer writer;

    x->text_bytes = x->text_kept_bytes;
    if (!owner.size)
        return;
    h1_write_init(&writer, x->text + x->text_bytes, x->text_capacity - x->text_bytes);
    h1_write_field(&writer, VIEW("X-Roost-Previous-Owner"), owner);
    assert(!writer.is_full);
    x->text_bytes += h1_write_result(&writer).size;
}
