#include "http/h1_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_written(const struct h1_writer *writer, const char *wanted)
{
    struct view got = h1_write_result(writer);

    assert_false(writer->is_full);
    assert_int_equal(got.size, strlen(wanted));
    assert_memory_equal(got.data, wanted, got.size);
}

static void a_request_is_written_line_by_line(void **state)
{
    struct h1_writer writer;
    char memory[256];

    (void)state;
    h1_write_init(&writer, memory, sizeof(memory));
    h1_write_request_line(&writer, VIEW("POST"), VIEW("/a?b"));
    h1_write_field(&writer, VIEW("Host"), VIEW("c"));
    h1_write_field(&writer, VIEW("Empty"), (struct view){NULL, 0});
    h1_write_framing(&writer, (struct body_framing){.kind = FRAMING_LENGTH, .length = UINT64_MAX});
    h1_write_end(&writer);
    expect_written(&writer, "POST /a?b HTTP/1.1\r\nHost: c\r\nEmpty: \r\n"
                            "Content-Length: 18446744073709551615\r\n\r\n");
}

/* RFC 9112 3.2.1: origin-form has a path. */
static void a_target_without_path_gets_its_slash(void **state)
{
    struct h1_writer writer;
    char memory[64];

    (void)state;
    h1_write_init(&writer, memory, sizeof(memory));
    h1_write_request_line(&writer, VIEW("GET"), VIEW("?b"));
    expect_written(&writer, "GET /?b HTTP/1.1\r\n");
}

static void status_lines_have_the_given_or_the_standard_reason(void **state)
{
    static const struct {
        uint16_t status;
        struct view reason;
        const char *line;
    } cases[] = {
        {200, VIEW(""), "HTTP/1.1 200 OK\r\n"},
        {200, VIEW("Fine"), "HTTP/1.1 200 Fine\r\n"},
        {431, {NULL, 0}, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
        {299, {NULL, 0}, "HTTP/1.1 299 \r\n"},
        {599, VIEW("x"), "HTTP/1.1 599 x\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct h1_writer writer;
        char memory[64];

        h1_write_init(&writer, memory, sizeof(memory));
        h1_write_status_line(&writer, cases[i].status, cases[i].reason);
        expect_written(&writer, cases[i].line);
    }
}

static void framing_is_written_as_it_is(void **state)
{
    static const struct {
        struct body_framing body;
        const char *lines;
    } cases[] = {
        {{.kind = FRAMING_NONE}, ""},
        {{.kind = FRAMING_CLOSE}, ""},
        {{.kind = FRAMING_TUNNEL}, ""},
        {{.kind = FRAMING_CHUNKED}, "Transfer-Encoding: chunked\r\n"},
        {{.kind = FRAMING_LENGTH, .length = 0}, "Content-Length: 0\r\n"},
        {{.kind = FRAMING_LENGTH, .length = 1024}, "Content-Length: 1024\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct h1_writer writer;
        char memory[64];

        h1_write_init(&writer, memory, sizeof(memory));
        h1_write_framing(&writer, cases[i].body);
        expect_written(&writer, cases[i].lines);
    }
}

static void a_writer_without_room_says_so_and_writes_nothing_behind_it(void **state)
{
    char memory[64];

    (void)state;
    for (size_t room = 0; room <= 54; room++) {
        struct h1_writer writer;

        memset(memory, '#', sizeof(memory));
        h1_write_init(&writer, memory, room);
        h1_write_status_line(&writer, 204, (struct view){NULL, 0});
        h1_write_number_field(&writer, VIEW("Age"), 12345);
        h1_write_field(&writer, VIEW("B"), VIEW("cd"));
        h1_write_end(&writer);
        assert_int_equal(writer.is_full, room < 25 + 12 + 7 + 2);
        for (size_t i = room; i < sizeof(memory); i++)
            assert_int_equal(memory[i], '#');
    }
}

static void a_reason_is_standard_or_empty(void **state)
{
    (void)state;
    assert_true(view_equals(h1_write_reason(502), VIEW("Bad Gateway")));
    assert_true(view_equals(h1_write_reason(101), VIEW("Switching Protocols")));
    assert_int_equal(h1_write_reason(599).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_written_line_by_line),
        cmocka_unit_test(a_target_without_path_gets_its_slash),
        cmocka_unit_test(status_lines_have_the_given_or_the_standard_reason),
        cmocka_unit_test(framing_is_written_as_it_is),
        cmocka_unit_test(a_writer_without_room_says_so_and_writes_nothing_behind_it),
        cmocka_unit_test(a_reason_is_standard_or_empty),
    };

    return cmocka_run_group_tests_name("http/h1_write", tests, NULL, NULL);
}
