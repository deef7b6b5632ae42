/* Calls to the Docker Engine, against one that answers as the test says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "replica/engine.h"

#define TURN_US     1000
#define TURNS_MAX   5000
#define CLIENTS_MAX 16

#define VERSION_BODY "{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\"}"

static struct loop loop;
static struct sock_group socks;
static struct engine engine;
static char folder[] = "/tmp/roost-engine-XXXXXX";
static char path[64];
static uint64_t now_us;

/* The Engine: what it answers to each path, and what it was asked. */
static int listener = -1;
static int clients[CLIENTS_MAX];
static unsigned client_count;
static const char *version_body;
static const char *answer; /* to all but /version; NULL: none */
static char asked[8][4096];
static unsigned asked_count;

/* What came of a call. */
struct heard {
    int status;
    char body[4096];
    char why[ERROR_TEXT_BYTES];
    char lines[8][128];
    unsigned line_count;
    unsigned openings;
    unsigned ends;
};

static void on_done(void *owner, const struct engine_answer *done)
{
    struct heard *heard = owner;

    heard->ends++;
    heard->status = done->status;
    snprintf(heard->body, sizeof(heard->body), "%.*s", VIEW_ARGUMENTS(done->body));
    snprintf(heard->why, sizeof(heard->why), "%s", done->why ? done->why : "");
}

static void on_line(void *owner, struct view line)
{
    struct heard *heard = owner;

    if (line.data)
        snprintf(heard->lines[heard->line_count++], sizeof(heard->lines[0]), "%.*s",
                 VIEW_ARGUMENTS(line));
    else
        heard->openings++;
}

static void say(int fd, const char *text)
{
    assert_int_equal(strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
}

static void answer_with(int fd, const char *body)
{
    char text[4096];

    snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
             body);
    say(fd, text);
}

static void engine_reads(int fd)
{
    char text[4096];
    ssize_t size = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (size <= 0)
        return;
    text[size] = '\0';
    if (strncmp(text, "GET /version ", 13) == 0) {
        if (version_body)
            answer_with(fd, version_body);
        return;
    }
    snprintf(asked[asked_count++], sizeof(asked[0]), "%s", text);
    if (answer)
        say(fd, answer);
}

static void engine_turns(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd >= 0)
        clients[client_count++] = fd;
    for (unsigned i = 0; i < client_count; i++)
        engine_reads(clients[i]);
}

static void turn(void)
{
    clock_set(now_us += TURN_US);
    loop_turn(&loop, 0);
    engine_turns();
}

static void turn_until(const unsigned *count)
{
    for (unsigned i = 0; i < TURNS_MAX && !*count; i++)
        turn();
    assert_int_equal(1, *count);
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char host[96];

    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/sock", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(listener, 16));
    version_body = VERSION_BODY;
    answer = NULL;
    asked_count = 0;
    client_count = 0;
    clock_set(now_us = 1000 * CLOCK_US_PER_S);
    assert_int_equal(0, loop_init(&loop, NULL));
    sock_group_init(&socks, &loop, 1 << 20);
    snprintf(host, sizeof(host), "unix://%s", path);
    assert_int_equal(0, engine_init(&engine, &socks, host, NULL));
    return 0;
}

static int end(void **state)
{
    (void)state;
    engine_finish(&engine);
    loop_finish(&loop);
    sock_group_finish(&socks);
    for (unsigned i = 0; i < client_count; i++)
        close(clients[i]);
    close(listener);
    unlink(path);
    rmdir(folder);
    clock_set(0);
    return 0;
}

static struct engine_call *ask(struct heard *heard, enum method method, const char *body,
                               engine_line_fn line)
{
    const struct engine_request request = {.method = method,
                                           .path = "/containers/x",
                                           .body = body,
                                           .timeout_ms = 1000,
                                           .on_line = line,
                                           .done = on_done,
                                           .owner = heard};

    *heard = (struct heard){0};
    return engine_ask(&engine, &request);
}

/* ---- tests ---- */

static void a_call_is_made_in_the_version_both_know(void **state)
{
    struct heard heard;

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    ask(&heard, METHOD_GET, NULL, NULL);
    turn_until(&heard.ends);
    assert_int_equal(200, heard.status);
    assert_string_equal("{}", heard.body);
    assert_memory_equal("GET /v1.41/containers/x HTTP/1.1\r\n", asked[0], 34);
}

static void a_newer_engine_is_spoken_to_in_the_newest_version_we_know(void **state)
{
    (void)state;
    assert_int_equal(41, engine_choose_version(12, 41, NULL));
    assert_int_equal(44, engine_choose_version(24, 44, NULL));
    assert_int_equal(ENGINE_VERSION_MOST, engine_choose_version(44, 99, NULL));
    assert_int_equal(60, engine_choose_version(60, 99, NULL));
    assert_int_equal(-EPROTONOSUPPORT, engine_choose_version(12, 40, NULL));
}

static void an_engine_that_is_too_old_is_told_so(void **state)
{
    struct heard heard;

    (void)state;
    version_body = "{\"ApiVersion\":\"1.39\",\"MinAPIVersion\":\"1.12\"}";
    ask(&heard, METHOD_GET, NULL, NULL);
    turn_until(&heard.ends);
    assert_int_equal(-EPROTONOSUPPORT, heard.status);
    assert_non_null(strstr(heard.why, "1.39"));
    assert_non_null(strstr(heard.why, "1.41 or newer"));
}

static void what_is_no_version_is_refused(void **state)
{
    static const char *const bad[] = {"", "{}", "[]", "{\"ApiVersion\":41}",
                                      "{\"ApiVersion\":\"2.0\"}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct heard heard;

        version_body = bad[i];
        ask(&heard, METHOD_GET, NULL, NULL);
        turn_until(&heard.ends);
        assert_int_equal(-EPROTO, heard.status);
    }
}

static void a_body_is_sent_with_its_length(void **state)
{
    struct heard heard;

    (void)state;
    answer = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
             "3\r\n{\"a\r\n3\r\n\":1\r\n1\r\n}\r\n0\r\n\r\n";
    ask(&heard, METHOD_POST, "{\"b\":2}", NULL);
    turn_until(&heard.ends);
    assert_int_equal(201, heard.status);
    assert_string_equal("{\"a\":1}", heard.body);
    assert_non_null(strstr(asked[0], "POST /v1.41/containers/x HTTP/1.1\r\n"));
    assert_non_null(strstr(asked[0], "Content-Length: 7\r\n"));
    assert_non_null(strstr(asked[0], "\r\n\r\n{\"b\":2}"));
}

static void an_engine_that_is_not_there_is_named(void **state)
{
    struct heard heard;

    (void)state;
    unlink(path);
    ask(&heard, METHOD_GET, NULL, NULL);
    turn_until(&heard.ends);
    assert_int_equal(-EHOSTDOWN, heard.status);
    assert_non_null(strstr(heard.why, path));
    assert_non_null(strstr(heard.why, "cannot be reached"));
}

static void one_that_hangs_costs_a_limited_time(void **state)
{
    struct heard heard;
    uint64_t began_us;

    (void)state;
    ask(&heard, METHOD_GET, NULL, NULL);
    began_us = now_us;
    turn_until(&heard.ends);
    assert_int_equal(-ETIMEDOUT, heard.status);
    assert_in_range(now_us - began_us, 1000 * 1000, 1100 * 1000);
}

static void one_that_hangs_at_the_version_does_too(void **state)
{
    struct heard one;
    struct heard two;

    (void)state;
    version_body = NULL;
    ask(&one, METHOD_GET, NULL, NULL);
    ask(&two, METHOD_GET, NULL, NULL);
    turn_until(&one.ends);
    assert_int_equal(-ETIMEDOUT, one.status);
    assert_int_equal(1, two.ends);
    assert_int_equal(-ETIMEDOUT, two.status);
}

static void what_is_no_http_is_no_answer(void **state)
{
    struct heard heard;

    (void)state;
    answer = "SSH-2.0-OpenSSH_9\r\n\r\n";
    ask(&heard, METHOD_GET, NULL, NULL);
    turn_until(&heard.ends);
    assert_int_equal(-EPROTO, heard.status);
}

static void an_answer_that_is_cut_off_is_none(void **state)
{
    struct heard heard;

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}";
    ask(&heard, METHOD_GET, NULL, NULL);
    while (!asked_count)
        turn();
    turn();
    shutdown(clients[client_count - 1], SHUT_RDWR);
    turn_until(&heard.ends);
    assert_true(heard.status < 0);
}

static void an_error_is_an_answer_too(void **state)
{
    struct heard heard;

    (void)state;
    answer = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 15\r\n\r\n{\"message\":\"x\"}";
    ask(&heard, METHOD_GET, NULL, NULL);
    turn_until(&heard.ends);
    assert_int_equal(500, heard.status);
    assert_string_equal("{\"message\":\"x\"}", heard.body);
}

static void a_stream_tells_line_by_line_and_has_no_time_limit(void **state)
{
    struct heard heard;
    int fd;

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    ask(&heard, METHOD_GET, NULL, on_line);
    turn_until(&heard.openings);
    fd = clients[client_count - 1];
    say(fd, "4\r\nab\nc\r\n");
    turn();
    turn();
    assert_int_equal(1, heard.line_count);
    say(fd, "3\r\nd\ne\r\n2\r\n\n\n\r\n");
    for (unsigned i = 0; i < 2000; i++)
        turn();
    assert_int_equal(4, heard.line_count);
    assert_string_equal("ab", heard.lines[0]);
    assert_string_equal("cd", heard.lines[1]);
    assert_string_equal("e", heard.lines[2]);
    assert_string_equal("", heard.lines[3]);
    assert_int_equal(0, heard.ends);
    say(fd, "0\r\n\r\n");
    turn_until(&heard.ends);
    assert_int_equal(-EHOSTDOWN, heard.status);
}

static void a_stream_that_is_refused_is_an_answer(void **state)
{
    struct heard heard;

    (void)state;
    answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\na\nb";
    ask(&heard, METHOD_GET, NULL, on_line);
    turn_until(&heard.ends);
    assert_int_equal(400, heard.status);
    assert_string_equal("a\nb", heard.body);
    assert_int_equal(0, heard.openings);
    assert_int_equal(0, heard.line_count);
}

static void a_call_that_is_cancelled_is_not_answered(void **state)
{
    struct heard waiting;
    struct heard sent;
    struct engine_call *call;

    (void)state;
    engine_cancel(ask(&waiting, METHOD_GET, NULL, NULL));
    call = ask(&sent, METHOD_GET, NULL, NULL);
    while (!asked_count)
        turn();
    engine_cancel(call);
    engine_cancel(NULL);
    for (unsigned i = 0; i < 1200; i++)
        turn();
    assert_int_equal(0, waiting.ends);
    assert_int_equal(0, sent.ends);
}

static void only_a_unix_socket_will_do(void **state)
{
    static const char *const bad[] = {"tcp://127.0.0.1:2375", "ssh://host", "/var/run/docker.sock",
                                      "unix://relative"};
    struct engine other;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error why = {""};

        assert_int_equal(-EINVAL, engine_init(&other, &socks, bad[i], &why));
        assert_non_null(strstr(why.text, bad[i]));
    }
}

static void text_is_escaped_for_a_query(void **state)
{
    char text[ENGINE_PATH_BYTES] = "/x?f=";
    char *long_text = memory_allocate(ENGINE_PATH_BYTES);

    (void)state;
    assert_int_equal(0, engine_escape(text, "{\"a\":[\"b c\"]}&d=%/é"));
    assert_string_equal("/x?f=%7B%22a%22%3A%5B%22b%20c%22%5D%7D%26d%3D%25%2F%C3%A9", text);
    memset(long_text, '&', ENGINE_PATH_BYTES - 1);
    assert_int_equal(-ENAMETOOLONG, engine_escape(text, long_text));
    assert_int_equal(strlen("/x?f=%7B%22a%22%3A%5B%22b%20c%22%5D%7D%26d%3D%25%2F%C3%A9"),
                     strlen(text));
    free(long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_is_made_in_the_version_both_know, begin, end),
        cmocka_unit_test(a_newer_engine_is_spoken_to_in_the_newest_version_we_know),
        cmocka_unit_test_setup_teardown(an_engine_that_is_too_old_is_told_so, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_version_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_body_is_sent_with_its_length, begin, end),
        cmocka_unit_test_setup_teardown(an_engine_that_is_not_there_is_named, begin, end),
        cmocka_unit_test_setup_teardown(one_that_hangs_costs_a_limited_time, begin, end),
        cmocka_unit_test_setup_teardown(one_that_hangs_at_the_version_does_too, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_http_is_no_answer, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_that_is_cut_off_is_none, begin, end),
        cmocka_unit_test_setup_teardown(an_error_is_an_answer_too, begin, end),
        cmocka_unit_test_setup_teardown(a_stream_tells_line_by_line_and_has_no_time_limit, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_stream_that_is_refused_is_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(a_call_that_is_cancelled_is_not_answered, begin, end),
        cmocka_unit_test_setup_teardown(only_a_unix_socket_will_do, begin, end),
        cmocka_unit_test(text_is_escaped_for_a_query),
    };

    return cmocka_run_group_tests_name("replica/engine", tests, NULL, NULL);
}
