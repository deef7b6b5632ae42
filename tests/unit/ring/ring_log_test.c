#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/ring_log.h"

static const char common[] =
    "10.1.2.3 - - [20/Nov/2026:05:00:00 +0000] \"GET /a/b?c=d HTTP/1.1\" 200 512";
static const char combined[] = "::1 - bob [20/Nov/2026:05:00:00 +0000] \"POST /x HTTP/1.0\" 404 - "
                               "\"http://e.org/\" \"agent \\\"x\\\" 1\"";
static const char json[] =
    "{\"time\":\"t\",\"method\":\"GET\",\"path\":\"/a/b?c=d\",\"status\":200,\"bytes\":77,"
    "\"key\":123456,\"client\":\"10.0.0.1\",\"replica\":\"Server 1\"}";
static const char logfmt[] =
    "time=2026-11-20T05:00:00Z method=GET path=\"/a b?c=d\" status=200 bytes=99 client=10.0.0.2 "
    "slot=7";

static void assert_line(const char *text, const char *field, const char *key, uint64_t bytes)
{
    struct ring_log_line line;

    assert_int_equal(ring_log_parse(view_of(text), field, &line), 0);
    assert_int_equal(line.key_bytes, strlen(key));
    assert_memory_equal(line.key, key, line.key_bytes);
    assert_int_equal(line.bytes, bytes);
}

static void every_format_is_read(void **state)
{
    (void)state;
    assert_line(common, "path", "/a/b", 512);
    assert_line(common, "target", "/a/b?c=d", 512);
    assert_line(common, "client-ip", "10.1.2.3", 512);
    assert_line(combined, "path", "/x", 0);
    assert_line(combined, "client-ip", "::1", 0);
    assert_line(json, "path", "/a/b", 77);
    assert_line(json, "target", "/a/b?c=d", 77);
    assert_line(json, "client-ip", "10.0.0.1", 77);
    assert_line(json, "key", "123456", 77);
    assert_line(json, "replica", "Server 1", 77);
    assert_line(logfmt, "path", "/a b", 99);
    assert_line(logfmt, "client-ip", "10.0.0.2", 99);
    assert_line(logfmt, "slot", "7", 99);
}

static void what_is_not_there_is_refused(void **state)
{
    static const char *const lines[] = {"",
                                        " ",
                                        "nonsense",
                                        "{",
                                        "{}",
                                        "[1]",
                                        "\"\"",
                                        "a=b",
                                        "x - - [t] \"GET\" 200 1",
                                        "x - - [t] \"GET /a\" 400 1",
                                        "x - - [t] \"\\x16\\x03 \\x01 a\" 400 1",
                                        "{\"path\":\"\"}",
                                        "{\"path\":[1]}",
                                        "path="};
    struct ring_log_line line;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (ring_log_parse(view_of(lines[i]), "path", &line) == 0)
            fail_msg("'%s' was read", lines[i]);
    }
    assert_true(ring_log_parse(view_of(common), "replica", &line) < 0);
}

/* On the heap and of its exact size, so that one byte too far is seen by the sanitizer. */
static void a_line_cut_anywhere_is_read_or_refused(void **state)
{
    static const char *const lines[] = {common, combined, json, logfmt};
    static const char *const fields[] = {"path", "target", "client-ip", "slot"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t size = 0; size <= strlen(lines[i]); size++) {
            char *copy = malloc(size + 1);
            struct ring_log_line line = {.key_bytes = 1};

            assert_non_null(copy);
            copy = realloc(copy, size ? size : 1);
            memcpy(copy, lines[i], size);
            for (size_t k = 0; k < 4; k++) {
                if (ring_log_parse((struct view){copy, size}, fields[k], &line) == 0)
                    assert_in_range(line.key_bytes, 1, size);
            }
            free(copy);
        }
    }
}

static void a_long_key_is_cut(void **state)
{
    static char text[2 * RING_LOG_KEY_BYTES];
    struct ring_log_line line;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "path=", 5);
    assert_int_equal(ring_log_parse(view_of(text), "path", &line), 0);
    assert_int_equal(line.key_bytes, RING_LOG_KEY_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_is_read),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(a_line_cut_anywhere_is_read_or_refused),
        cmocka_unit_test(a_long_key_is_cut),
    };

    return cmocka_run_group_tests_name("ring/ring_log", tests, NULL, NULL);
}
