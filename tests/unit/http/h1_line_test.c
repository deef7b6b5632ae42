/*
 * Every byte value at every place: each template has each of its bytes replaced by each of the 256
 * values, taken away, and each value put in before it. What must come out is computed by regular
 * expressions over the grammar of RFC 9112, which share nothing with the parser.
 */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include <cmocka.h>

#include "any_cut.h"
#include "any_cut_chunk.h"

#define TCHAR  "[!#$%&'*+.^_`|~0-9A-Za-z-]"                         /* RFC 9110 5.6.2 */
#define QUOTED "\"([]\t !#-[^-~\x80-\xff]|\\\\[\t -~\x80-\xff])*\"" /* 5.6.4 */

#define LINE_BYTES_MAX 256
#define LINES_MAX      8

static const struct h1_limits limits = {.head_bytes = 4096, .fields = HEAD_FIELDS_MAX};

/* What the oracle read. */
struct reading {
    bool is_good;
    bool is_whole; /* there is an empty line */
    char lines[LINES_MAX][LINE_BYTES_MAX];
    size_t count;
    regmatch_t start[6]; /* of the start line */
};

static regex_t request_line, status_line, field_line, token, host_value, chunk_line;

static void compile(regex_t *expression, const char *text)
{
    if (regcomp(expression, text, REG_EXTENDED) != 0)
        abort();
}

static int compile_all(void **state)
{
    (void)state;
    compile(&request_line, "^(" TCHAR "{1,32}) ([]!-\"$-[\\^-~]+) HTTP/1\\.[0-9]$");
    compile(&status_line, "^HTTP/1\\.[0-9] ([1-5][0-9][0-9])( [\t -~\x80-\xff]*)?$");
    compile(&field_line, "^(" TCHAR "+):[\t -~\x80-\xff]*$");
    compile(&token, "^" TCHAR "+$");
    compile(&host_value, "^([!$&'()*+,;=._~0-9A-Za-z-]|%[0-9A-Fa-f]{2})+(:[0-9]{0,4})?$");
    compile(&chunk_line, "^([0-9A-Fa-f]{1,16})(;" TCHAR "+(=(" TCHAR "+|" QUOTED "))?)*$");
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    regfree(&request_line);
    regfree(&status_line);
    regfree(&field_line);
    regfree(&token);
    regfree(&host_value);
    regfree(&chunk_line);
    return 0;
}

static bool matches(const regex_t *expression, const char *text)
{
    return regexec(expression, text, 0, NULL, 0) == 0;
}

/* The lines up to the empty one. Not good where a NUL, bare CR or bare LF stands among them. */
static size_t split_lines(struct view input, struct reading *reading)
{
    size_t at = 0, start = 0;

    memset(reading, 0, sizeof(*reading));
    while (at < input.size) {
        char byte = input.data[at++];

        if (byte == 0 || byte == '\n')
            return 0;
        if (byte != '\r')
            continue;
        if (at == input.size)
            return 0;
        if (input.data[at++] != '\n')
            return 0;
        if (at - start == 2) {
            reading->is_whole = true;
            return at;
        }
        if (reading->count == LINES_MAX || at - start - 2 >= LINE_BYTES_MAX)
            abort();
        memcpy(reading->lines[reading->count++], input.data + start, at - start - 2);
        start = at;
    }
    return 0;
}

/* The value behind the colon without blanks, in place. */
static char *value_of(char *line)
{
    char *value = strchr(line, ':') + 1;
    size_t size;

    value += strspn(value, " \t");
    for (size = strlen(value); size && strchr(" \t", value[size - 1]); size--)
        value[size - 1] = 0;
    return value;
}

static bool is_named(const char *line, const char *name)
{
    size_t size = strlen(name);

    return strncasecmp(line, name, size) == 0 && line[size] == ':';
}

/* The rules that a template's fields can come under when one byte is another. */
static bool fields_are_good(struct reading *reading, bool is_request)
{
    bool is_old = strstr(reading->lines[0], "HTTP/1.0") != NULL;
    int hosts = 0, lengths = 0, encodings = 0;

    for (size_t i = 1; i < reading->count; i++) {
        char *line = reading->lines[i];
        char *value;

        if (!matches(&field_line, line))
            return false;
        value = value_of(line);
        if (is_request && is_named(line, "Host")) {
            hosts++;
            if (!matches(&host_value, value))
                return false;
        }
        if (is_named(line, "Content-Length")) {
            lengths++;
            if (!*value || value[strspn(value, "0123456789")])
                return false;
        }
        if (is_named(line, "Transfer-Encoding")) {
            encodings++;
            if (is_old || strcasecmp(value, "chunked") != 0)
                return false;
        }
        /* One comma leaves tokens on both its sides. */
        if (is_named(line, "Connection") && !strchr(value, ',') && !matches(&token, value))
            return false;
    }
    if (is_request && hosts != 1 && !(is_old && !hosts))
        return false;
    return lengths + encodings <= 1;
}

static void read_request(struct view input, struct reading *reading)
{
    bool has_start;

    /* RFC 9112 2.2. */
    if (view_starts_with(input, VIEW("\r\n")))
        input = view_after(input, 2);
    split_lines(input, reading);
    if (!reading->is_whole || !reading->count)
        return;
    has_start = regexec(&request_line, reading->lines[0], 3, reading->start, 0) == 0;
    reading->is_good = has_start && reading->lines[0][reading->start[2].rm_so] == '/' &&
                       fields_are_good(reading, true);
}

static void read_answer(struct view input, struct reading *reading)
{
    split_lines(input, reading);
    reading->is_good = reading->is_whole && reading->count &&
                       regexec(&status_line, reading->lines[0], 3, reading->start, 0) == 0 &&
                       fields_are_good(reading, false);
}

static bool is_text(struct view view, const char *text, size_t size)
{
    return view.size == size && memcmp(view.data, text, size) == 0;
}

/* The parser's model says what the oracle read. */
static bool is_same(struct any_cut *got, struct reading *reading, bool is_request)
{
    const char *start = reading->lines[0];
    const regmatch_t *match = reading->start;

    if (is_request && (!is_text(got->head.method_text, start, (size_t)match[1].rm_eo) ||
                       !is_text(got->head.target, start + match[2].rm_so,
                                (size_t)(match[2].rm_eo - match[2].rm_so))))
        return false;
    if (!is_request && got->head.status != atoi(start + match[1].rm_so))
        return false;
    if (got->head.field_count != reading->count - 1)
        return false;
    for (size_t i = 1; i < reading->count; i++) {
        const struct field *field = &got->head.fields[i - 1];
        char *line = reading->lines[i];
        char *value = value_of(line);

        if (!is_text(field->name, line, (size_t)(strchr(line, ':') - line)) ||
            !is_text(field->value, value, strlen(value)))
            return false;
    }
    return true;
}

static void check(struct view input, bool is_request)
{
    struct any_cut *got =
        any_cut_parse(is_request ? h1_parse_request : h1_parse_answer, &limits, input);
    struct reading reading;

    if (is_request)
        read_request(input, &reading);
    else
        read_answer(input, &reading);
    if ((got->verdict.result == H1_DONE) != reading.is_good)
        fail_msg("%.*s: result %d %s, expected %s", VIEW_ARGUMENTS(input), (int)got->verdict.result,
                 got->verdict.reason, reading.is_good ? "good" : "bad");
    if (reading.is_whole && !reading.is_good)
        assert_int_equal(got->verdict.result, H1_BAD);
    if (reading.is_good && !is_same(got, &reading, is_request))
        fail_msg("%.*s: read otherwise", VIEW_ARGUMENTS(input));
}

typedef void (*check_fn)(struct view input, bool is_request);

/* All changes of one byte. */
static void sweep(const char *text, check_fn check_one, bool is_request)
{
    char changed[512];
    size_t size = strlen(text);

    check_one(view_of(text), is_request);
    for (size_t place = 0; place <= size; place++) {
        memcpy(changed, text, place);
        for (int byte = 0; byte < 256; byte++) {
            changed[place] = (char)byte;
            memcpy(changed + place + 1, text + place, size - place);
            check_one((struct view){changed, size + 1}, is_request);
            if (place == size)
                continue;
            memcpy(changed + place + 1, text + place + 1, size - place - 1);
            check_one((struct view){changed, size}, is_request);
        }
        if (place == size)
            continue;
        memcpy(changed + place, text + place + 1, size - place - 1);
        check_one((struct view){changed, size - 1}, is_request);
    }
}

static void any_byte_anywhere_in_a_request_is_judged_by_the_grammar(void **state)
{
    (void)state;
    sweep("GET /p?q HTTP/1.1\r\nHost: a:8\r\nN: v\r\n\r\n", check, true);
    sweep("PUT / HTTP/1.1\r\nContent-Length: 15\r\nHost: a\r\n\r\n", check, true);
}

static void any_byte_anywhere_in_the_framing_is_judged_by_the_grammar(void **state)
{
    (void)state;
    sweep("P / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding: chunked\r\nC:1\r\n\r\n", check, true);
    sweep("\r\nP / HTTP/1.0\r\nConnection: close\r\n\r\n", check, true);
}

static void any_byte_anywhere_in_an_answer_is_judged_by_the_grammar(void **state)
{
    (void)state;
    sweep("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n\r\n", check, false);
    sweep("HTTP/1.1 404\r\nTransfer-Encoding: chunked\r\n\r\n", check, false);
}

/* RFC 9112 7.1, recursively: a chunk and the rest, or the last chunk and the trailer section. */
static bool chunks_are_good(struct view input, size_t *consumed)
{
    struct reading reading;
    char line[LINE_BYTES_MAX] = "";
    size_t end = 0;
    uint64_t size;

    while (end + 1 < input.size && memcmp(input.data + end, "\r\n", 2) != 0)
        end++;
    if (end + 1 >= input.size || memchr(input.data, 0, end))
        return false;
    memcpy(line, input.data, end);
    if (!matches(&chunk_line, line))
        return false;
    size = strtoull(line, NULL, 16);
    *consumed += end + 2;
    input = view_after(input, end + 2);
    if (!size) {
        end = split_lines(input, &reading);
        *consumed += end;
        for (size_t i = 0; i < reading.count; i++)
            reading.is_whole = reading.is_whole && matches(&field_line, reading.lines[i]);
        return reading.is_whole;
    }
    if (size > input.size || input.size - size < 2 || memcmp(input.data + size, "\r\n", 2) != 0)
        return false;
    *consumed += size + 2;
    return chunks_are_good(view_after(input, size + 2), consumed);
}

static void check_chunks(struct view input, bool is_request)
{
    struct any_cut_chunk *got = any_cut_chunk_parse(input);
    size_t consumed = 0;
    bool is_good = chunks_are_good(input, &consumed);

    (void)is_request;
    if ((got->result == H1_CHUNK_END) != is_good)
        fail_msg("%.*s: result %d, expected %s", VIEW_ARGUMENTS(input), (int)got->result,
                 is_good ? "good" : "bad");
    if (is_good)
        assert_int_equal(got->consumed, consumed);
}

static void any_byte_anywhere_in_a_chunked_body_is_judged_by_the_grammar(void **state)
{
    (void)state;
    sweep("5\r\nhello\r\n0\r\n\r\n", check_chunks, false);
    sweep("1;a=b;c=\"d\\e\"\r\nx\r\n0\r\nT: v\r\n\r\n", check_chunks, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_byte_anywhere_in_a_request_is_judged_by_the_grammar),
        cmocka_unit_test(any_byte_anywhere_in_the_framing_is_judged_by_the_grammar),
        cmocka_unit_test(any_byte_anywhere_in_an_answer_is_judged_by_the_grammar),
        cmocka_unit_test(any_byte_anywhere_in_a_chunked_body_is_judged_by_the_grammar),
    };

    return cmocka_run_group_tests_name("http/h1_line", tests, compile_all, free_all);
}
