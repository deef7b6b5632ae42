/*
 * Any bytes as the head of a request. Whole and cut anywhere get one verdict; an accepted head
 * ends at its first empty line and holds no line end, NUL or control byte in any view; written
 * anew it is accepted again with the same meaning.
 */
#include <stdint.h>

#include "../unit/http/any_cut.h"
#include "insist.h"
#include "http/h1_write.h"

static const struct h1_limits limits = {.head_bytes = 16 * 1024, .fields = HEAD_FIELDS_MAX};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist_on_clean_bytes(struct view view, unsigned char least)
{
    for (size_t i = 0; i < view.size; i++) {
        unsigned char byte = (unsigned char)view.data[i];

        INSIST((byte >= least && byte != 0x7f) || (least == ' ' && byte == '\t'));
    }
}

static void insist_on_clean_views(const struct head *head)
{
    INSIST(head->method_text.size && head->target.size && head->path.size);
    insist_on_clean_bytes(head->method_text, '!');
    insist_on_clean_bytes(head->target, '!');
    insist_on_clean_bytes(head->host, '!');
    for (uint16_t i = 0; i < head->field_count; i++) {
        INSIST(head->fields[i].name.size);
        insist_on_clean_bytes(head->fields[i].name, '!');
        insist_on_clean_bytes(head->fields[i].value, ' ');
    }
}

/* The end is where any other reader sees it. */
static void insist_on_first_empty_line(struct view input, size_t size)
{
    size_t skipped = view_starts_with(input, VIEW("\r\n")) ? 2 : 0;
    const char *end = memmem(input.data + skipped, input.size - skipped, "\r\n\r\n", 4);

    INSIST(end && input.data + size == end + 4);
}

/* As the proxy does. */
static struct view write_anew(const struct head *head, char *memory, size_t capacity)
{
    struct h1_writer writer;

    h1_write_init(&writer, memory, capacity);
    h1_write_request_line(&writer, head->method_text, head->target);
    if (!head_find(head, FIELD_HOST))
        h1_write_field(&writer, VIEW("Host"), head->host.data ? head->host : VIEW("service"));
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (!head->fields[i].is_dropped)
            h1_write_field(&writer, head->fields[i].name, head->fields[i].value);
    }
    if (head->asks_upgrade) {
        h1_write_field(&writer, VIEW("Connection"), VIEW("upgrade"));
        h1_write_field(&writer, VIEW("Upgrade"), head->upgrade);
    }
    h1_write_framing(&writer, head->body);
    h1_write_end(&writer);
    INSIST(!writer.is_full);
    return h1_write_result(&writer);
}

static size_t next_passed_on(const struct head *head, size_t at)
{
    while (at < head->field_count && head->fields[at].is_dropped)
        at++;
    return at;
}

/* What was passed on stands in `again` in the same order; a Host may have come before it. */
static void insist_on_same_fields(const struct head *head, const struct head *again)
{
    size_t at = next_passed_on(head, 0);
    size_t place = next_passed_on(again, head_find(head, FIELD_HOST) ? 0 : 1);

    while (at < head->field_count) {
        INSIST(place < again->field_count);
        INSIST(view_equals(head->fields[at].name, again->fields[place].name));
        INSIST(view_equals(head->fields[at].value, again->fields[place].value));
        at = next_passed_on(head, at + 1);
        place = next_passed_on(again, place + 1);
    }
    INSIST(place == again->field_count);
}

static void insist_on_same_meaning(const struct head *head)
{
    static const struct h1_limits all = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};
    static char memory[HEAD_BYTES_MAX];
    static struct any_cut again;
    struct view bytes = write_anew(head, memory, sizeof(memory));
    bool lacks_path = head->target.data[0] == '?';
    const struct head *model = &again.head;

    /* A Host, a Connection, an Upgrade and a framing may be one field too many now. */
    if (head->field_count > HEAD_FIELDS_MAX - 4)
        return;
    again.scanned = 0;
    any_cut_feed(&again, h1_parse_request, &all, bytes, bytes.size);
    INSIST(again.verdict.result == H1_DONE && again.verdict.size == bytes.size);
    INSIST(model->method == head->method);
    INSIST(view_equals(model->method_text, head->method_text));
    INSIST(view_equals(view_after(model->target, lacks_path), head->target));
    INSIST(view_equals(model->path, head->path));
    INSIST(any_cut_same_view(model->query, head->query));
    INSIST(!head->host.data || view_equals(model->host, head->host));
    INSIST(model->asks_upgrade == head->asks_upgrade);
    INSIST(model->expects_continue == (head->expects_continue && head_find(model, FIELD_EXPECT)));
    INSIST(model->body.kind == head->body.kind && model->body.length == head->body.length);
    INSIST(!model->says_close && model->minor_version == 1);
    insist_on_same_fields(head, model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = {(const char *)data, size};
    struct any_cut *got = any_cut_parse(h1_parse_request, &limits, input);
    uint16_t status = got->verdict.status;

    if (got->verdict.result == H1_BAD)
        INSIST(status == 400 || status == 405 || status == 414 || status == 431 || status == 501 ||
               status == 505);
    if (got->verdict.result != H1_DONE)
        return 0;
    insist_on_first_empty_line(input, got->verdict.size);
    insist_on_clean_views(&got->head);
    insist_on_same_meaning(&got->head);
    return 0;
}
