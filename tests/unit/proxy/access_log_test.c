#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "base/random.h"
#include "proxy/access_log.h"

/* 2026-11-20T04:50:00.123Z */
#define NOW_MS UINT64_C(1795150200123)

static struct access_record usual(void)
{
    return (struct access_record){
        .method = VIEW("GET"),
        .path = VIEW("/home?x=1"),
        .host = VIEW("example.org"),
        .client_ip = VIEW("192.0.2.7"),
        .request_id = VIEW("482913"),
        .service = VIEW("web"),
        .replica = VIEW("Server 1"),
        .why = "owner",
        .slot = 51234,
        .rank = 0,
        .attempts = 1,
        .status = 200,
        .replica_status = 200,
        .bytes_in = 0,
        .bytes_out = 53,
        .took_us = 1432,
        .first_byte_us = 1007,
    };
}

/* Nothing is known but that it failed. */
static struct access_record bare(void)
{
    return (struct access_record){.slot = -1, .rank = -1, .status = 400, .first_byte_us = -1};
}

static int memory_file(void)
{
    int fd = memfd_create("log", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

/* All that was written to `fd`, zero-ended. The caller's. */
static char *content(int fd)
{
    struct stat status;
    char *text;

    assert_int_equal(fstat(fd, &status), 0);
    text = memory_allocate((size_t)status.st_size + 1);
    assert_int_equal(pread(fd, text, (size_t)status.st_size, 0), status.st_size);
    return text;
}

/* The one line that `record` becomes; the caller's. */
static char *line_of(const struct access_record *record, enum access_format format)
{
    int fd = memory_file();
    struct access_log log;
    char *line;

    access_log_init(&log, dup(fd), format);
    access_log_add(&log, record, NOW_MS);
    access_log_finish(&log);
    assert_int_equal(log.dropped, 0);
    line = content(fd);
    close(fd);
    assert_true(strlen(line) <= ACCESS_LOG_LINE_BYTES_MAX);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    return line;
}

static json_t *parse(const char *line)
{
    json_error_t error;
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (!json)
        fail_msg("%s: %s", error.text, line);
    return json;
}

static void assert_line(const struct access_record *record, enum access_format format,
                        const char *expected)
{
    char *line = line_of(record, format);

    assert_string_equal(line, expected);
    free(line);
}

static void a_json_line_says_everything_in_order(void **state)
{
    struct access_record record = usual();

    (void)state;
    assert_line(&record, ACCESS_JSON,
                "{\"time\":\"2026-11-20T04:50:00.123Z\",\"method\":\"GET\",\"path\":\"/home?x=1\","
                "\"status\":200,\"bytes\":53,\"replica\":\"Server 1\",\"slot\":51234,\"rank\":0,"
                "\"why\":\"owner\",\"ms\":1.432,\"client\":\"192.0.2.7\",\"host\":\"example.org\","
                "\"service\":\"web\",\"request_id\":\"482913\",\"attempts\":1,\"bytes_in\":0,"
                "\"replica_status\":200,\"first_byte_ms\":1.007}\n");
}

static void a_logfmt_line_says_the_same(void **state)
{
    struct access_record record = usual();

    (void)state;
    record.failure = "cut off";
    record.held_us = 213040;
    assert_line(&record, ACCESS_LOGFMT,
                "time=2026-11-20T04:50:00.123Z method=GET path=\"/home?x=1\" status=200 bytes=53 "
                "replica=\"Server 1\" slot=51234 rank=0 why=owner ms=1.432 client=192.0.2.7 "
                "host=example.org service=web request_id=482913 attempts=1 bytes_in=0 "
                "replica_status=200 first_byte_ms=1.007 held_ms=213.040 failure=\"cut off\"\n");
}

static void what_is_not_there_is_null_among_the_first_ten_or_left_off(void **state)
{
    struct access_record record = bare();

    (void)state;
    assert_line(&record, ACCESS_JSON,
                "{\"time\":\"2026-11-20T04:50:00.123Z\",\"method\":null,\"path\":null,"
                "\"status\":400,\"bytes\":0,\"replica\":null,\"slot\":null,\"rank\":null,"
                "\"why\":null,\"ms\":0.000,\"attempts\":0,\"bytes_in\":0}\n");
    assert_line(&record, ACCESS_LOGFMT,
                "time=2026-11-20T04:50:00.123Z status=400 bytes=0 ms=0.000 attempts=0 "
                "bytes_in=0\n");
}

static void the_largest_numbers_are_written_whole(void **state)
{
    struct access_record record = usual();
    char *line;

    (void)state;
    record.bytes_out = record.bytes_in = UINT64_MAX;
    record.slot = record.rank = INT64_MAX;
    record.took_us = UINT64_MAX;
    line = line_of(&record, ACCESS_LOGFMT);
    assert_non_null(strstr(line, " bytes=18446744073709551615 "));
    assert_non_null(strstr(line, " slot=9223372036854775807 rank=9223372036854775807 "));
    assert_non_null(strstr(line, " ms=18446744073709551.615 "));
    assert_non_null(strstr(line, " bytes_in=18446744073709551615 "));
    free(line);
}

static void the_time_follows_the_clock(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        {NOW_MS, "time=2026-11-20T04:50:00.123Z "},
        {NOW_MS + 1, "time=2026-11-20T04:50:00.124Z "},
        {NOW_MS - 123, "time=2026-11-20T04:50:00.000Z "},
        {NOW_MS + 877, "time=2026-11-20T04:50:01.000Z "},
        {NOW_MS - 124, "time=2026-11-20T04:49:59.999Z "},
        {0, "time=1970-01-01T00:00:00.000Z "},
    };
    struct access_record record = bare();
    int fd = memory_file();
    struct access_log log;
    char *all;
    char *at;

    (void)state;
    access_log_init(&log, dup(fd), ACCESS_LOGFMT);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        access_log_add(&log, &record, cases[i].ms);
    access_log_finish(&log);
    all = at = content(fd);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(view_starts_with(view_of(at), view_of(cases[i].text)));
        at = strchr(at, '\n') + 1;
    }
    free(all);
    close(fd);
}

static void a_value_from_outside_stays_a_value(void **state)
{
    struct access_record record = usual();
    char *line;
    json_t *json;

    (void)state;
    record.path = VIEW("/a\" b\\c\r\n\x01\x7f \"status\":500,\n{\"time\":0} \xff\xc3\xa9=");
    record.host = VIEW("a\nfailure=x");
    line = line_of(&record, ACCESS_JSON);
    json = parse(line);
    assert_string_equal(
        json_string_value(json_object_get(json, "path")),
        "/a\" b\\c\r\n\x01\x7f \"status\":500,\n{\"time\":0} \xef\xbf\xbd\xc3\xa9=");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 200);
    assert_string_equal(json_string_value(json_object_get(json, "host")), "a\nfailure=x");
    json_decref(json);
    free(line);

    line = line_of(&record, ACCESS_LOGFMT);
    assert_non_null(strstr(line, " path=\"/a\\\" b\\\\c\\r\\n\\u0001\\u007f \\\"status\\\":500,\\n"
                                 "{\\\"time\\\":0} \xef\xbf\xbd\xc3\xa9=\" status=200 "));
    assert_non_null(strstr(line, " host=\"a\\nfailure=x\" "));
    free(line);
}

static void a_long_path_is_cut_off(void **state)
{
    struct access_record record = usual();
    char path[2000];
    char *line;
    json_t *json;

    (void)state;
    memset(path, 'x', sizeof(path));
    record.path = (struct view){path, sizeof(path)};
    line = line_of(&record, ACCESS_JSON);
    json = parse(line);
    assert_int_equal(json_string_length(json_object_get(json, "path")), ACCESS_LOG_TARGET_BYTES);
    json_decref(json);
    free(line);
}

/* Finds the end of a logfmt value, or fails. */
static const char *skip_value(const char *at)
{
    if (*at != '"') {
        assert_true(*at > ' ');
        while (*at > ' ' && *at != '"' && *at != '=')
            at++;
        return at;
    }
    for (at++; *at != '"'; at++) {
        assert_true((unsigned char)*at >= ' ');
        if (*at == '\\')
            at++;
    }
    return at + 1;
}

/* name=value, single spaces between, one end of line. */
static void assert_is_logfmt(const char *line)
{
    for (;;) {
        const char *name = line;

        while ((*line >= 'a' && *line <= 'z') || *line == '_')
            line++;
        assert_true(line > name && *line == '=');
        line = skip_value(line + 1);
        if (*line == '\n') {
            assert_int_equal(line[1], 0);
            return;
        }
        assert_int_equal(*line++, ' ');
    }
}

static struct view random_text(char *memory, size_t most)
{
    size_t size = random_below(3) ? random_below(most + 1) : random_below(40);
    uint64_t kind = random_below(4);

    for (size_t i = 0; i < size; i++)
        memory[i] = (char)(kind == 0 ? random_below(32) : kind == 1 ? '"' : random_next());
    return (struct view){memory, size < most ? size : most};
}

/* Whatever the values: each line parses and is no longer than was promised. */
static void random_values_never_break_a_line(void **state)
{
    static char memory[7][3000];

    (void)state;
    random_seed(4);
    for (int round = 0; round < 1500; round++) {
        struct access_record record = usual();
        struct view *views[] = {&record.method,    &record.path,       &record.host,
                                &record.client_ip, &record.request_id, &record.service,
                                &record.replica};
        char *line;
        json_t *json;

        for (size_t i = 0; i < ARRAY_SIZE(views); i++)
            *views[i] = random_text(memory[i], sizeof(memory[i]));
        record.failure = "no answer";
        line = line_of(&record, ACCESS_JSON);
        json = parse(line);
        assert_string_equal(json_string_value(json_object_get(json, "failure")), "no answer");
        json_decref(json);
        free(line);
        line = line_of(&record, ACCESS_LOGFMT);
        assert_is_logfmt(line);
        free(line);
    }
}

static void nothing_is_allocated_for_a_line(void **state)
{
    struct access_record record = usual();
    int fd = memory_file();
    struct access_log log;
    uint64_t before;

    (void)state;
    access_log_init(&log, fd, ACCESS_JSON);
    before = memory_allocations();
    for (unsigned i = 0; i < 5000; i++) {
        access_log_add(&log, &record, NOW_MS + i);
        if (i % 64 == 0)
            access_log_flush(&log);
    }
    assert_int_equal(memory_allocations(), before);
    assert_int_equal(log.dropped, 0);
    access_log_finish(&log);
}

static void off_means_off(void **state)
{
    struct access_record record = usual();
    struct access_log log;

    (void)state;
    access_log_init(&log, -1, ACCESS_JSON);
    assert_false(access_log_is_on(&log));
    access_log_add(&log, &record, NOW_MS);
    access_log_flush(&log);
    assert_null(log.ring);
    assert_int_equal(log.dropped, 0);
    access_log_finish(&log);
    access_log_finish(&log);
}

static void a_full_ring_drops_whole_lines_and_counts_them(void **state)
{
    struct access_record record = usual();
    unsigned added = 0;
    unsigned found = 0;
    struct access_log log;
    int fd = memory_file();
    char *all;

    (void)state;
    access_log_init(&log, dup(fd), ACCESS_JSON);
    while (log.dropped < 10) {
        access_log_add(&log, &record, NOW_MS);
        added++;
    }
    assert_true(added > 500);
    access_log_finish(&log);
    assert_int_equal(log.dropped, 10);
    all = content(fd);
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
        json_decref(parse(line));
        found++;
    }
    assert_int_equal(found + 10, added);
    free(all);
    close(fd);
}

/* Reads what is there, appends it to `all` and returns the new size. */
static size_t drain(int fd, char *all, size_t size, size_t capacity)
{
    for (;;) {
        ssize_t got = read(fd, all + size, capacity - size - 1);

        if (got <= 0)
            return size;
        size += (size_t)got;
        assert_true(size + 1 < capacity);
    }
}

#define PIPE_TEST_BYTES (4 * 1024 * 1024)

/* A reader that sleeps and wakes: no call waits, no line is torn, none is lost uncounted. */
static void check_slow_reader(int reader, int writer)
{
    struct access_record record = usual();
    char *all = memory_allocate(PIPE_TEST_BYTES);
    const unsigned turns = 150;
    const unsigned lines = 20;
    unsigned found = 0;
    struct access_log log;
    size_t size = 0;

    access_log_init(&log, writer, ACCESS_JSON);
    for (unsigned turn = 0; turn < turns; turn++) {
        for (unsigned i = 0; i < lines; i++)
            access_log_add(&log, &record, NOW_MS);
        access_log_flush(&log);
        if (turn % 60 == 59)
            size = drain(reader, all, size, PIPE_TEST_BYTES);
    }
    assert_true(log.dropped > 0);
    while (log.size) {
        size = drain(reader, all, size, PIPE_TEST_BYTES);
        access_log_flush(&log);
    }
    (void)drain(reader, all, size, PIPE_TEST_BYTES);
    access_log_finish(&log);
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
        json_decref(parse(line));
        found++;
    }
    assert_int_equal(found + log.dropped, turns * lines);
    free(all);
    close(reader);
}

static void a_slow_reader_of_a_pipe_costs_lines_and_no_time(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    check_slow_reader(ends[0], ends[1]);
    /* The same where the writing end would wait. */
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    check_slow_reader(ends[0], ends[1]);
}

static void a_slow_reader_of_a_socket_costs_lines_and_no_time(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    check_slow_reader(ends[0], ends[1]);
}

/* Two workers on one pipe: whatever is read is whole lines. */
static void the_lines_of_two_writers_do_not_mix(void **state)
{
    struct access_record record = usual();
    char *all = memory_allocate(PIPE_TEST_BYTES);
    struct access_log logs[2];
    char path[700];
    size_t size = 0;
    unsigned found = 0;
    int ends[2];

    (void)state;
    memset(path, 'p', sizeof(path));
    record.path = (struct view){path, sizeof(path)};
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    access_log_init(&logs[0], dup(ends[1]), ACCESS_JSON);
    access_log_init(&logs[1], ends[1], ACCESS_LOGFMT);
    for (unsigned turn = 0; turn < 200; turn++) {
        access_log_add(&logs[turn % 2], &record, NOW_MS);
        access_log_flush(&logs[(turn / 3) % 2]);
        if (turn % 50 == 49)
            size = drain(ends[0], all, size, PIPE_TEST_BYTES);
    }
    for (unsigned i = 0; i < 2; i++) {
        access_log_flush(&logs[i]);
        size = drain(ends[0], all, size, PIPE_TEST_BYTES);
        access_log_finish(&logs[i]);
        assert_int_equal(logs[i].dropped, 0);
    }
    for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"), found++) {
        if (line[0] == '{')
            json_decref(parse(line));
        else
            assert_true(view_starts_with(view_of(line), VIEW("time=")));
    }
    assert_int_equal(found, 200);
    free(all);
    close(ends[0]);
}

static void a_reader_that_has_gone_costs_lines_only(void **state)
{
    struct access_record record = usual();
    struct access_log log;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    access_log_init(&log, ends[1], ACCESS_JSON);
    close(ends[0]);
    access_log_add(&log, &record, NOW_MS);
    access_log_add(&log, &record, NOW_MS);
    access_log_flush(&log);
    assert_int_equal(log.dropped, 2);
    assert_int_equal(log.size, 0);
    access_log_finish(&log);
    assert_int_equal(log.dropped, 2);
}

/* A terminal or socket may take half a line and then fail for good. */
static void a_line_behind_a_torn_one_stands_alone(void **state)
{
    struct access_record record = usual();
    int fd = memory_file();
    struct access_log log;
    char *all;

    (void)state;
    access_log_init(&log, dup(fd), ACCESS_LOGFMT);
    access_log_add(&log, &record, NOW_MS);
    access_log_add(&log, &record, NOW_MS);
    /* As after a short write of four bytes … */
    assert_int_equal(write(fd, log.ring, 4), 4);
    log.start += 4;
    log.size -= 4;
    log.is_torn = true;
    /* … and a failure: the rest cannot be written any more. */
    close(log.fd);
    log.fd = open("/dev/null", O_RDONLY);
    log.way = ACCESS_FILE;
    access_log_flush(&log);
    assert_int_equal(log.dropped, 2);
    access_log_flush(&log);
    assert_int_equal(log.dropped, 2);
    close(log.fd);
    log.fd = dup(fd);
    access_log_add(&log, &record, NOW_MS);
    access_log_finish(&log);
    assert_int_equal(log.dropped, 2);
    all = content(fd);
    assert_true(view_starts_with(view_of(all), VIEW("time\ntime=2026")));
    free(all);
    close(fd);
}

static void what_waits_goes_to_the_next_file(void **state)
{
    struct access_record record = usual();
    struct access_log log;
    int next = memory_file();
    char *all;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], "x", 1) == 1)
        ;
    access_log_init(&log, ends[1], ACCESS_LOGFMT);
    access_log_add(&log, &record, NOW_MS);
    access_log_reopen(&log, dup(next));
    access_log_add(&log, &record, NOW_MS + 1);
    access_log_flush(&log);
    all = content(next);
    assert_true(view_starts_with(view_of(all), VIEW("time=2026-11-20T04:50:00.123Z")));
    assert_non_null(strstr(all, "\ntime=2026-11-20T04:50:00.124Z"));
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    access_log_reopen(&log, -1);
    assert_false(access_log_is_on(&log));
    assert_int_equal(log.dropped, 0);
    access_log_reopen(&log, dup(next));
    assert_true(access_log_is_on(&log));
    access_log_finish(&log);
    free(all);
    close(next);
    close(ends[0]);
}

static void a_path_is_opened_to_append_and_never_waits(void **state)
{
    char path[] = "/tmp/roost-access-log-XXXXXX";
    struct error why = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "old\n", 4), 4);
    close(fd);
    fd = access_log_open(path, &why);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "new\n", 4), 4);
    close(fd);
    fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 0, SEEK_END), 8);
    close(fd);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(access_log_open(path, &why), -ENXIO);
    assert_non_null(strstr(why.text, path));
    unlink(path);
    assert_int_equal(access_log_open("/nonexistent/log", &why), -ENOENT);
}

static void standard_output_becomes_non_blocking_for_us_alone(void **state)
{
    int kept = dup(STDOUT_FILENO);
    int ends[2];
    int fd;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    fd = access_log_open(NULL, NULL);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    assert_true(fd > STDERR_FILENO);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_says_everything_in_order),
        cmocka_unit_test(a_logfmt_line_says_the_same),
        cmocka_unit_test(what_is_not_there_is_null_among_the_first_ten_or_left_off),
        cmocka_unit_test(the_largest_numbers_are_written_whole),
        cmocka_unit_test(the_time_follows_the_clock),
        cmocka_unit_test(a_value_from_outside_stays_a_value),
        cmocka_unit_test(a_long_path_is_cut_off),
        cmocka_unit_test(random_values_never_break_a_line),
        cmocka_unit_test(nothing_is_allocated_for_a_line),
        cmocka_unit_test(off_means_off),
        cmocka_unit_test(a_full_ring_drops_whole_lines_and_counts_them),
        cmocka_unit_test(a_slow_reader_of_a_pipe_costs_lines_and_no_time),
        cmocka_unit_test(a_slow_reader_of_a_socket_costs_lines_and_no_time),
        cmocka_unit_test(the_lines_of_two_writers_do_not_mix),
        cmocka_unit_test(a_reader_that_has_gone_costs_lines_only),
        cmocka_unit_test(a_line_behind_a_torn_one_stands_alone),
        cmocka_unit_test(what_waits_goes_to_the_next_file),
        cmocka_unit_test(a_path_is_opened_to_append_and_never_waits),
        cmocka_unit_test(standard_output_becomes_non_blocking_for_us_alone),
    };

    return cmocka_run_group_tests_name("proxy/access_log", tests, NULL, NULL);
}
