/*
 * Any bytes as the head of an answer. Whole and cut anywhere get one verdict; an accepted head
 * ends at its first empty line; written anew it is accepted again with the same meaning.
 */
#include <stdint.h>

#include "../unit/http/any_cut.h"
#include "insist.h"
#include "http/h1_write.h"

static const struct h1_limits limits = {.head_bytes = 16 * 1024, .fields = HEAD_FIELDS_MAX};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist_on_clean_bytes(struct view view)
{
    for (size_t i = 0; i < view.size; i++) {
        unsigned char byte = (unsigned char)view.data[i];

        INSIST((byte >= ' ' && byte != 0x7f) || byte == '\t');
    }
}

static struct view write_anew(const struct head *head, char *memory, size_t capacity)
{
    struct h1_writer writer;

    h1_write_init(&writer, memory, capacity);
    h1_write_status_line(&writer, head->status, head->reason);
    for (uint16_t i = 0; i < head->field_count; i++) {
        insist_on_clean_bytes(head->fields[i].name);
        insist_on_clean_bytes(head->fields[i].value);
        if (!head->fields[i].is_dropped)
            h1_write_field(&writer, head->fields[i].name, head->fields[i].value);
    }
    h1_write_framing(&writer, head_answer_framing(head, METHOD_GET, false));
    h1_write_end(&writer);
    INSIST(!writer.is_full);
    return h1_write_result(&writer);
}

static void insist_on_same_meaning(const struct head *head)
{
    static const struct h1_limits all = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};
    static char memory[HEAD_BYTES_MAX];
    static struct any_cut again;
    struct view bytes = write_anew(head, memory, sizeof(memory));
    struct body_framing framing = head_answer_framing(head, METHOD_GET, false);
    struct body_framing written;
    size_t place = 0;

    again.scanned = 0;
    any_cut_feed(&again, h1_parse_answer, &all, bytes, bytes.size);
    INSIST(again.verdict.result == H1_DONE && again.verdict.size == bytes.size);
    INSIST(again.head.status == head->status);
    INSIST(!head->reason.size || view_equals(again.head.reason, head->reason));
    written = head_answer_framing(&again.head, METHOD_GET, false);
    INSIST(written.kind == framing.kind && written.length == framing.length);
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].is_dropped)
            continue;
        INSIST(place < again.head.field_count);
        INSIST(view_equals(head->fields[i].name, again.fields[place].name));
        INSIST(view_equals(head->fields[i].value, again.fields[place].value));
        INSIST(!again.fields[place].is_dropped);
        place++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view input = {(const char *)data, size};
    struct any_cut *got = any_cut_parse(h1_parse_answer, &limits, input);
    const char *end;

    if (got->verdict.result == H1_BAD)
        INSIST(got->verdict.status == 502);
    if (got->verdict.result != H1_DONE)
        return 0;
    end = memmem(input.data, input.size, "\r\n\r\n", 4);
    INSIST(end && input.data + got->verdict.size == end + 4);
    INSIST(got->head.status >= 100 && got->head.status <= 599);
    insist_on_clean_bytes(got->head.reason);
    insist_on_same_meaning(&got->head);
    return 0;
}
