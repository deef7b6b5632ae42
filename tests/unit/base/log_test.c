#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

#define FILE_BYTES 16384

static int fd = -1;
static char text[FILE_BYTES];

static int open_file(void **state)
{
    (void)state;
    fd = memfd_create("log", 0);
    return fd < 0;
}

static int close_file(void **state)
{
    (void)state;
    close(fd);
    log_name_process("");
    return 0;
}

/* What was logged since the last look, from behind its first `="` or `:"` of the time on. */
static const char *logged(void)
{
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

    assert_true(size >= 0);
    text[size] = 0;
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return text;
}

static const char *after_time(const char *line, const char *before)
{
    assert_memory_equal(line, before, strlen(before));
    return line + strlen(before) + strlen("2026-11-20T04:50:00.123Z");
}

static void a_line_of_logfmt_quotes_only_what_needs_it(void **state)
{
    (void)state;
    log_open(fd, LOG_INFO, LOG_LOGFMT);
    log_event(LOG_WARN, "replica.down", LOG_TEXT("replica", "web-3"),
              LOG_TEXT("reason", "connect: \"refused\"\n"), LOG_NUMBER("pid", -12),
              LOG_TEXT("empty", ""));
    assert_string_equal(after_time(logged(), "time="),
                        " level=warn event=replica.down replica=web-3 "
                        "reason=\"connect: \\\"refused\\\"\\n\" pid=-12 empty=\"\"\n");
}

static void a_line_of_json_is_an_object(void **state)
{
    (void)state;
    log_open(fd, LOG_INFO, LOG_JSON);
    log_name_process("keeper");
    log_event(LOG_ERROR, "x", LOG_VIEW("v", VIEW("a\x01")), LOG_NUMBER("n", INT64_MIN));
    assert_string_equal(after_time(logged(), "{\"time\":\""),
                        "\",\"level\":\"error\",\"event\":\"x\",\"process\":\"keeper\","
                        "\"v\":\"a\\u0001\",\"n\":-9223372036854775808}\n");
}

static void an_event_without_fields_is_a_line_too(void **state)
{
    (void)state;
    log_open(fd, LOG_DEBUG, LOG_LOGFMT);
    log_event(LOG_DEBUG, "start");
    assert_string_equal(after_time(logged(), "time="), " level=debug event=start\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_open(fd, LOG_WARN, LOG_LOGFMT);
    log_event(LOG_INFO, "quiet");
    assert_string_equal(logged(), "");
}

/* A reader of JSON good enough for one flat object: true where `line` is one, ended by a newline.
 */
static bool is_flat_object(const char *line)
{
    const char *at = line;

    if (*at++ != '{')
        return false;
    for (;;) {
        for (int part = 0; part < 2; part++) {
            if (*at == '"') {
                for (at++; *at && *at != '"'; at++)
                    at += *at == '\\';
                if (!*at++)
                    return false;
            } else {
                size_t digits = strspn(at, "-0123456789");

                if (part == 0 || digits == 0)
                    return false;
                at += digits;
            }
            if (part == 0 && *at++ != ':')
                return false;
        }
        if (*at == '}')
            return strcmp(at, "}\n") == 0;
        if (*at++ != ',')
            return false;
    }
}

/* Whatever the length of a value that pushes the others over the end of the line. */
static void a_line_that_is_too_long_is_cut_and_stays_json(void **state)
{
    char *value = malloc(5001);

    (void)state;
    log_open(fd, LOG_INFO, LOG_JSON);
    for (size_t size = 3900; size < 5000; size++) {
        memset(value, 'x', size);
        value[size] = 0;
        log_event(LOG_INFO, "long", LOG_TEXT("value", value), LOG_TEXT("name", "web-1"),
                  LOG_NUMBER("number", 12345), LOG_TEXT("more", "\x01\x01"));
        assert_true(is_flat_object(logged()));
        assert_true(strlen(text) <= 4096);
    }
    free(value);
}

static void a_long_line_of_logfmt_ends_its_quotes_and_is_one_line(void **state)
{
    char value[5001];

    (void)state;
    log_open(fd, LOG_INFO, LOG_LOGFMT);
    for (size_t size = 3900; size < 4200; size++) {
        const char *line;
        size_t quotes = 0;

        memset(value, ' ', size);
        value[size] = 0;
        log_event(LOG_INFO, "long", LOG_TEXT("value", value), LOG_TEXT("name", "a b"));
        line = logged();
        assert_int_equal(strcspn(line, "\n"), strlen(line) - 1);
        for (const char *at = line; *at; at++)
            quotes += *at == '"';
        assert_int_equal(quotes % 2, 0);
    }
}

static void levels_have_names(void **state)
{
    enum log_level level = LOG_ERROR;

    (void)state;
    assert_int_equal(log_level_from_text(VIEW("debug"), &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_from_text(VIEW("warn"), &level), 0);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_from_text(VIEW("Warn"), &level), -EINVAL);
    assert_int_equal(log_level_from_text(VIEW(""), &level), -EINVAL);
    assert_int_equal(level, LOG_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_of_logfmt_quotes_only_what_needs_it, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_line_of_json_is_an_object, open_file, close_file),
        cmocka_unit_test_setup_teardown(an_event_without_fields_is_a_line_too, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(what_is_below_the_level_is_not_written, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_cut_and_stays_json, open_file,
                                        close_file),
        cmocka_unit_test_setup_teardown(a_long_line_of_logfmt_ends_its_quotes_and_is_one_line,
                                        open_file, close_file),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
