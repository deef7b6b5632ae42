/* llhttp, the reader of Node.js, behind the same frames and lines as http_read.c. */
#include "reading.h"

#include <llhttp.h>

#define FIELDS_MAX 128

struct text {
    char bytes[READING_BYTES_MAX];
    size_t size;
};

/* One message as llhttp tells it. Fields are collected already printed, trailers are left out. */
static struct text url, body, names[FIELDS_MAX + 1], values[FIELDS_MAX + 1];
static size_t field_count;
static int is_head_answer, is_head_read, is_whole;

static int add(struct text *text, const char *at, size_t size)
{
    memcpy(text->bytes + text->size, at, size);
    text->size += size;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    (void)parser;
    return add(&url, at, size);
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    (void)parser;
    return add(&body, at, size);
}

static int on_name(llhttp_t *parser, const char *at, size_t size)
{
    (void)parser;
    return is_head_read ? 0 : add(&names[field_count], at, size);
}

static int on_value(llhttp_t *parser, const char *at, size_t size)
{
    (void)parser;
    return is_head_read ? 0 : add(&values[field_count], at, size);
}

static int on_value_complete(llhttp_t *parser)
{
    (void)parser;
    if (!is_head_read) {
        field_count++;
        names[field_count].size = values[field_count].size = 0;
    }
    return 0;
}

static int on_head(llhttp_t *parser)
{
    (void)parser;
    is_head_read = 1;
    return is_head_answer;
}

static int on_message(llhttp_t *parser)
{
    (void)parser;
    is_whole = 1;
    return HPE_PAUSED;
}

static void print_message(const llhttp_t *parser, size_t consumed, int is_request)
{
    const char *method = is_request ? llhttp_method_name((llhttp_method_t)parser->method) : "";

    printf("ok %zu %d", consumed, is_request ? 0 : parser->status_code);
    reading_print(method, strlen(method));
    reading_print(url.bytes, url.size);
    reading_print(body.bytes, body.size);
    for (size_t i = 0; i < field_count; i++) {
        reading_print(names[i].bytes, names[i].size);
        reading_print(values[i].bytes, values[i].size);
    }
    printf("\n");
}

static void read_message(char kind, const char *bytes, size_t size)
{
    llhttp_settings_t settings;
    llhttp_t parser;
    size_t consumed = size;
    llhttp_errno_t result;

    llhttp_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_body = on_body;
    settings.on_header_field = on_name;
    settings.on_header_value = on_value;
    settings.on_header_value_complete = on_value_complete;
    settings.on_headers_complete = on_head;
    settings.on_message_complete = on_message;
    llhttp_init(&parser, kind == 'q' ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    url.size = body.size = field_count = names[0].size = values[0].size = 0;
    is_head_answer = kind == 'h';
    is_head_read = is_whole = 0;
    result = llhttp_execute(&parser, bytes, size);
    if (result == HPE_OK && !is_whole)
        result = llhttp_finish(&parser);
    else if (result == HPE_PAUSED || result == HPE_PAUSED_UPGRADE)
        consumed = (size_t)(llhttp_get_error_pos(&parser) - bytes);
    if (is_whole)
        print_message(&parser, consumed, kind == 'q');
    else
        printf("bad %s\n", llhttp_get_error_reason(&parser) ? llhttp_get_error_reason(&parser)
                                                            : llhttp_errno_name(result));
}

int main(void)
{
    static char bytes[READING_BYTES_MAX];
    size_t size;
    char kind;

    while (reading_next(&kind, bytes, &size))
        read_message(kind, bytes, size);
    return 0;
}
