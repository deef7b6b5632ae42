#include "http/h1_chunk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_cut_chunk.h"
#include "base/memory.h"

#define EOL  "\r\n"
#define LAST "0" EOL EOL

static const char *const results[] = {"MORE", "DATA", "END", "BAD"};

/* RFC 9112 7.1. */
static void good_bodies_are_read(void **state)
{
    static const struct {
        const char *bytes, *body;
        size_t rest; /* bytes behind the body */
    } cases[] = {
        {LAST, "", 0},
        {"5" EOL "hello" EOL LAST, "hello", 0},
        {"1" EOL "a" EOL "2" EOL "bc" EOL LAST, "abc", 0},
        {"A" EOL "0123456789" EOL LAST, "0123456789", 0},
        {"a" EOL "0123456789" EOL LAST, "0123456789", 0},
        {"0000000000000000000000005" EOL "hello" EOL "000" EOL EOL, "hello", 0},
        {"2" EOL "\r\n" EOL LAST, "\r\n", 0},
        {"5" EOL "0" EOL "\r\n" EOL LAST, "0\r\n\r\n", 0},
        {"1" EOL "a" EOL LAST "GET / HTTP/1.1", "a", 14},
        {LAST LAST, "", 5},
        /* RFC 9112 7.1.1 */
        {"1;a" EOL "b" EOL LAST, "b", 0},
        {"1;a=b" EOL "b" EOL LAST, "b", 0},
        {"1;a=b;c;d=\"\"" EOL "b" EOL "0;e=f" EOL EOL, "b", 0},
        {"1;a=\";=\t x\x80\"" EOL "b" EOL LAST, "b", 0},
        {"1;a=\"\\\"\\\\\\x\"" EOL "b" EOL LAST, "b", 0},
        /* RFC 9112 7.1.2 */
        {"0" EOL "A: b" EOL EOL, "", 0},
        {"0" EOL "A:" EOL "c: \x80 d " EOL EOL "x", "", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_cut_chunk *got = any_cut_chunk_parse(view_of(cases[i].bytes));

        if (got->result != H1_CHUNK_END)
            fail_msg("%s: %s", cases[i].bytes, results[got->result]);
        assert_int_equal(got->size, strlen(cases[i].body));
        assert_memory_equal(got->body, cases[i].body, got->size);
        assert_int_equal(got->consumed, strlen(cases[i].bytes) - cases[i].rest);
    }
}

static void bad_bodies_are_refused(void **state)
{
    static const char *const cases[] = {
        /* RFC 9112 7.1: the size is 1*HEXDIG and nothing else. */
        EOL,
        "x",
        "-1" EOL "a" EOL LAST,
        "+1" EOL "a" EOL LAST,
        " 1" EOL "a" EOL LAST,
        "\t1" EOL,
        "1 " EOL "a" EOL LAST,
        "1\t" EOL,
        "0x1" EOL "a" EOL LAST,
        "1h" EOL,
        "1_0" EOL,
        "1.0" EOL,
        "1," EOL,
        "\"1\"" EOL,
        ";a" EOL,
        "8000000000000000" EOL,
        "ffffffffffffffff" EOL,
        "10000000000000000" EOL,
        "10000000000000001" EOL "a" EOL LAST,
        "FFFFFFFFFFFFFFFFF" EOL,
        /* Line ends. */
        "1\na" EOL LAST,
        "1\ra" EOL LAST,
        "1\r\ra" EOL LAST,
        "1" EOL "a\n0" EOL EOL,
        "1" EOL "a\r0" EOL EOL,
        "1" EOL "a0" EOL EOL,
        "1" EOL "ab" EOL LAST,
        "1" EOL "a" EOL EOL LAST,
        "2" EOL "a" EOL LAST,
        "0\n\n",
        "0" EOL "\n",
        "0\n" EOL,
        "0" EOL "\r\r",
        "0" EOL "\rx",
        /* RFC 9112 7.1.1: extensions; BWS is refused. */
        "1;" EOL,
        "1;;a" EOL,
        "1 ;a" EOL,
        "1; a" EOL,
        "1;a " EOL,
        "1;a =b" EOL,
        "1;a= b" EOL,
        "1;a=" EOL,
        "1;=b" EOL,
        "1;a=b=c" EOL,
        "1;a=\"b" EOL,
        "1;a=\"b\"c" EOL,
        "1;a=\"b\nc\"" EOL,
        "1;a=\"\\\r\"" EOL,
        "1;a\nb" EOL,
        "1;a\rb" EOL,
        "1;a=b\n0" EOL,
        "1;a\x80" EOL,
        "1;a=\"\x7f\"" EOL,
        /* RFC 9112 7.1.2 and 5: trailer fields are field lines. */
        "0" EOL " a: b" EOL EOL,
        "0" EOL "a : b" EOL EOL,
        "0" EOL ": b" EOL EOL,
        "0" EOL "a" EOL EOL,
        "0" EOL "a: b\n" EOL,
        "0" EOL "a: b\rc" EOL EOL,
        "0" EOL "a: b" EOL " c" EOL EOL,
        "0" EOL "a: \x01" EOL EOL,
        "0" EOL "GET / HTTP/1.1" EOL EOL,
    };
    static const struct view zeros[] = {VIEW("1\0\r\na"), VIEW("1;a\0\r\n"), VIEW("0\r\na: \0\r\n"),
                                        VIEW("1\r\na\0\r\n"), VIEW("\0")};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_cut_chunk *got = any_cut_chunk_parse(view_of(cases[i]));

        if (got->result != H1_CHUNK_BAD)
            fail_msg("%s: %s", cases[i], results[got->result]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
        assert_int_equal(any_cut_chunk_parse(zeros[i])->result, H1_CHUNK_BAD);
}

static void bad_stays_bad_and_the_end_stays_the_end(void **state)
{
    struct h1_chunk_reader reader;
    struct view bytes = VIEW("x"), data;

    (void)state;
    h1_chunk_init(&reader);
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_BAD);
    bytes = VIEW(LAST);
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_BAD);
    h1_chunk_init(&reader);
    bytes = VIEW(LAST "x");
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_END);
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_END);
    assert_true(view_equals(bytes, VIEW("x")));
    h1_chunk_finish(&reader);
}

static void unfinished_bodies_wait(void **state)
{
    static const char body[] = "3;a=\"b\\c\"" EOL "abc" EOL "0" EOL "T: v" EOL EOL;

    (void)state;
    for (size_t size = 0; size < strlen(body); size++)
        assert_int_equal(any_cut_chunk_parse((struct view){body, size})->result, H1_CHUNK_MORE);
    assert_int_equal(any_cut_chunk_parse(view_of(body))->result, H1_CHUNK_END);
}

static void a_chunk_may_have_the_largest_size_there_is(void **state)
{
    struct h1_chunk_reader reader;
    struct view bytes = VIEW("7fffffffffffffff\r\nab"), data;

    (void)state;
    h1_chunk_init(&reader);
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_DATA);
    assert_true(view_equals(data, VIEW("ab")));
    assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_MORE);
    h1_chunk_finish(&reader);
}

static enum h1_chunk_result read_text(const char *text, size_t size)
{
    struct h1_chunk_reader reader;
    struct view bytes = {text, size}, data;
    enum h1_chunk_result result;

    h1_chunk_init(&reader);
    do {
        result = h1_chunk_read(&reader, &bytes, &data);
    } while (result == H1_CHUNK_DATA);
    h1_chunk_finish(&reader);
    return result;
}

static void a_size_line_may_be_long_but_not_longer(void **state)
{
    static char text[H1_CHUNK_LINE_BYTES_MAX + 8];

    (void)state;
    memset(text, '0', sizeof(text));
    memcpy(text + H1_CHUNK_LINE_BYTES_MAX - 2, EOL EOL, 4);
    assert_int_equal(read_text(text, H1_CHUNK_LINE_BYTES_MAX + 2), H1_CHUNK_END);
    memset(text, '0', sizeof(text));
    memcpy(text + H1_CHUNK_LINE_BYTES_MAX - 1, EOL EOL, 4);
    assert_int_equal(read_text(text, H1_CHUNK_LINE_BYTES_MAX + 3), H1_CHUNK_BAD);
    memset(text, '0', sizeof(text));
    assert_int_equal(read_text(text, sizeof(text)), H1_CHUNK_BAD);
}

/* Chunks of one byte with `bytes` bytes of extension behind each ';'. */
static enum h1_chunk_result read_extensions(size_t chunks, size_t bytes)
{
    static char text[64 * 1024];
    size_t at = 0;

    for (size_t i = 0; i < chunks; i++) {
        at += (size_t)sprintf(text + at, "1;");
        memset(text + at, 'e', bytes);
        at += bytes;
        at += (size_t)sprintf(text + at, "\r\nx\r\n");
    }
    at += (size_t)sprintf(text + at, LAST);
    return read_text(text, at);
}

static void extensions_of_a_message_are_limited_together(void **state)
{
    (void)state;
    /* The CR that ends an extension counts with it. */
    assert_int_equal(read_extensions(16, 1023), H1_CHUNK_END);
    assert_int_equal(read_extensions(16, 1024), H1_CHUNK_BAD);
    assert_int_equal(read_extensions(1, 4000), H1_CHUNK_END);
    assert_int_equal(read_extensions(5, 4000), H1_CHUNK_BAD);
}

static void a_trailer_section_is_limited(void **state)
{
    static char text[H1_TRAILER_BYTES_MAX + 16];

    (void)state;
    memset(text, 'v', sizeof(text));
    memcpy(text, "0\r\nT:", 5);
    memcpy(text + 3 + H1_TRAILER_BYTES_MAX - 2, EOL EOL, 4);
    assert_int_equal(read_text(text, 3 + H1_TRAILER_BYTES_MAX + 2), H1_CHUNK_END);
    memset(text + 5, 'v', sizeof(text) - 5);
    memcpy(text + 4 + H1_TRAILER_BYTES_MAX - 2, EOL EOL, 4);
    assert_int_equal(read_text(text, 4 + H1_TRAILER_BYTES_MAX + 2), H1_CHUNK_BAD);
    memset(text + 5, 'v', sizeof(text) - 5);
    assert_int_equal(read_text(text, sizeof(text)), H1_CHUNK_BAD);
}

/* RFC 9110 6.5.1 and 6.5.2. */
static void trailer_fields_that_could_pass_for_head_fields_are_dropped(void **state)
{
    static const struct view bytes =
        VIEW("0\r\ngrpc-status: 0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: a\r\n"
             "Connection: close\r\nTrailer: a\r\nTE: b\r\nAUTHORIZATION: c\r\nContent-Type: d\r\n"
             "Set-Cookie: e\r\nX-Forwarded-For: f\r\nX-Sum:\r\nETag:\t\"1\" \r\n\r\n");
    struct field fields[HEAD_FIELDS_MAX];
    struct any_cut_chunk *got = any_cut_chunk_parse(bytes);
    int count;

    (void)state;
    assert_int_equal(got->result, H1_CHUNK_END);
    count = h1_chunk_trailers(&got->reader, fields);
    assert_int_equal(count, 13);
    for (int i = 0; i < count; i++)
        assert_int_equal(fields[i].is_dropped, i > 0 && i < 11);
    assert_true(view_equals(fields[0].name, VIEW("grpc-status")));
    assert_true(view_equals(fields[0].value, VIEW("0")));
    assert_true(view_equals(fields[11].value, VIEW("")));
    assert_true(view_equals(fields[12].value, VIEW("\"1\"")));
}

static void a_body_without_trailers_has_none_and_needs_no_memory(void **state)
{
    struct field fields[HEAD_FIELDS_MAX];
    uint64_t allocations = memory_allocations();
    struct any_cut_chunk *got = any_cut_chunk_parse(VIEW("1" EOL "a" EOL LAST));

    (void)state;
    assert_int_equal(got->result, H1_CHUNK_END);
    assert_int_equal(h1_chunk_trailers(&got->reader, fields), 0);
    assert_int_equal(memory_allocations(), allocations);
}

static void too_many_trailer_fields_are_refused(void **state)
{
    static char text[4096];
    struct field fields[HEAD_FIELDS_MAX];
    struct h1_chunk_reader reader;
    struct view bytes, data;

    (void)state;
    for (int more = 0; more < 2; more++) {
        size_t at = (size_t)sprintf(text, "0\r\n");

        for (int i = 0; i < HEAD_FIELDS_MAX + more; i++)
            at += (size_t)sprintf(text + at, "a: b\r\n");
        at += (size_t)sprintf(text + at, EOL);
        bytes = (struct view){text, at};
        h1_chunk_init(&reader);
        assert_int_equal(h1_chunk_read(&reader, &bytes, &data), H1_CHUNK_END);
        assert_int_equal(h1_chunk_trailers(&reader, fields), more ? -EBADMSG : HEAD_FIELDS_MAX);
        h1_chunk_finish(&reader);
    }
}

static void a_prefix_is_the_size_and_a_line_end(void **state)
{
    static const struct {
        size_t size;
        const char *text;
    } cases[] = {
        {1, "1\r\n"},
        {9, "9\r\n"},
        {10, "a\r\n"},
        {16, "10\r\n"},
        {0xabcdef, "abcdef\r\n"},
        {SIZE_MAX, "ffffffffffffffff\r\n"},
    };
    char text[H1_CHUNK_PREFIX_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = h1_chunk_prefix(cases[i].size, text);

        assert_int_equal(size, strlen(cases[i].text));
        assert_memory_equal(text, cases[i].text, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies_are_read),
        cmocka_unit_test(bad_bodies_are_refused),
        cmocka_unit_test(bad_stays_bad_and_the_end_stays_the_end),
        cmocka_unit_test(unfinished_bodies_wait),
        cmocka_unit_test(a_chunk_may_have_the_largest_size_there_is),
        cmocka_unit_test(a_size_line_may_be_long_but_not_longer),
        cmocka_unit_test(extensions_of_a_message_are_limited_together),
        cmocka_unit_test(a_trailer_section_is_limited),
        cmocka_unit_test(trailer_fields_that_could_pass_for_head_fields_are_dropped),
        cmocka_unit_test(a_body_without_trailers_has_none_and_needs_no_memory),
        cmocka_unit_test(too_many_trailer_fields_are_refused),
        cmocka_unit_test(a_prefix_is_the_size_and_a_line_end),
    };

    return cmocka_run_group_tests_name("http/h1_chunk", tests, NULL, NULL);
}
