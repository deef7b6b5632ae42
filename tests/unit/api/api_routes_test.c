#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/keeper.h"

#define ANSWER_BYTES_MAX (128 * 1024)
#define TURNS            20

/* A keeper that is an API and nothing else, and a client of it. */
struct fixture {
    struct keeper keeper;
    int client;
    char answer[ANSWER_BYTES_MAX];
};

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct security_rules rules = {.token = NULL};
    struct error why;

    assert_int_equal(0, loop_init(&f->keeper.loop, &why));
    sock_group_init(&f->keeper.socks, &f->keeper.loop, 1 << 20);
    api_init(&f->keeper.api, &f->keeper, api_routes, &f->keeper.socks, &rules);
    f->client = -1;
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    if (f->client >= 0)
        close(f->client);
    api_finish(&f->keeper.api);
    loop_finish(&f->keeper.loop);
    sock_group_finish(&f->keeper.socks);
    free(f);
    return 0;
}

static void connect_client(struct fixture *f, bool is_link)
{
    struct address nobody = {.any.sa_family = AF_UNIX, .size = sizeof(sa_family_t)};
    int ends[2];

    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    if (f->client >= 0)
        close(f->client);
    f->client = ends[0];
    if (is_link)
        api_accept_link(&f->keeper.api, ends[1]);
    else
        api_accept(&f->keeper.api, ends[1], &nobody);
}

/* Sends it over a connection of its own and returns what comes back. */
static const char *ask(struct fixture *f, bool is_link, const char *text)
{
    size_t left = strlen(text);
    size_t size = 0;

    connect_client(f, is_link);
    for (int i = 0; i < TURNS; i++) {
        ssize_t sent = left ? send(f->client, text, left, MSG_NOSIGNAL) : 0;
        ssize_t got;

        if (sent > 0) {
            text += sent;
            left -= (size_t)sent;
        }
        loop_turn(&f->keeper.loop, 0);
        got = recv(f->client, f->answer + size, sizeof(f->answer) - 1 - size, 0);
        size += got > 0 ? (size_t)got : 0;
    }
    f->answer[size] = '\0';
    return f->answer;
}

static int status_of(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

static void a_route_is_answered(void **state)
{
    const char *answer = ask(*state, false, GET("/livez"));

    assert_int_equal(200, status_of(answer));
    assert_non_null(strstr(answer, "\r\n\r\nOK"));
}

static void head_is_get_without_its_body(void **state)
{
    const char *answer = ask(*state, false, "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");

    assert_int_equal(200, status_of(answer));
    assert_non_null(strstr(answer, "Content-Length: 2\r\n"));
    assert_string_equal("\r\n\r\n", strstr(answer, "\r\n\r\n"));
}

static void what_is_no_route_is_404(void **state)
{
    static const char *const paths[] = {
        "/nothing", "/livez/", "//livez", "/livez/x",
        "/livezx",  "/Livez",  "/v1",     "/v1/services/a/replicas/b/c"};
    char text[256];

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[i]);
        assert_int_equal(404, status_of(ask(*state, false, text)));
    }
}

static void another_method_is_405_with_those_allowed(void **state)
{
    const char *answer = ask(*state, false, POST("/livez"));

    assert_int_equal(405, status_of(answer));
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
}

static void a_link_reaches_the_classic_calls_only(void **state)
{
    assert_int_equal(404, status_of(ask(*state, true, GET("/livez"))));
    assert_int_equal(404, status_of(ask(*state, true, GET("/v1/status"))));
    assert_int_equal(405, status_of(ask(*state, true, GET("/add"))));
}

static void a_sentence_quotes_nothing_that_breaks_the_json(void **state)
{
    const char *answer = ask(*state, false, "GET /%22\x5c' HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const char *body = strstr(answer, "\r\n\r\n");
    json_t *json = body ? json_loads(body + 4, 0, NULL) : NULL;

    assert_non_null(json);
    assert_non_null(strstr(json_string_value(json_object_get(json, "error")), "/%22\\'"));
    json_decref(json);
}

static void another_host_is_421_but_for_probes(void **state)
{
    assert_int_equal(
        421, status_of(ask(*state, false, "GET /rep HTTP/1.1\r\nHost: evil.example\r\n\r\n")));
    assert_int_equal(
        200, status_of(ask(*state, false, "GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n")));
}

static void a_long_body_is_413_announced_or_not(void **state)
{
    struct fixture *f = *state;
    char *text = memory_allocate(API_BODY_BYTES_MAX + 512);
    int size;

    assert_int_equal(413, status_of(ask(f, false,
                                        "POST /add HTTP/1.1\r\nHost: localhost\r\n"
                                        "Content-Length: 65537\r\n\r\n")));
    size = sprintf(text,
                   "POST /add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "%x\r\n",
                   API_BODY_BYTES_MAX + 1);
    memset(text + size, 'x', API_BODY_BYTES_MAX + 1);
    assert_int_equal(413, status_of(ask(f, false, text)));
    free(text);
}

static void a_target_that_is_too_long_is_414(void **state)
{
    char text[API_PATH_BYTES_MAX + 64];
    char path[API_PATH_BYTES_MAX + 1];

    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    path[0] = '/';
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(414, status_of(ask(*state, false, text)));
}

static void who_waits_for_100_continue_hears_it(void **state)
{
    const char *answer = ask(*state, false,
                             "POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                             "Expect: 100-continue\r\n\r\n");

    assert_non_null(strstr(answer, "HTTP/1.1 100 Continue\r\n\r\n"));
}

static void nonsense_is_answered_in_json(void **state)
{
    const char *answer = ask(*state, false, "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n");

    assert_int_equal(400, status_of(answer));
    assert_non_null(strstr(answer, "{\"error\":\""));
}

static void one_connection_asks_many_times(void **state)
{
    const char *answer = ask(*state, false, GET("/livez") GET("/nothing") GET("/livez"));

    assert_int_equal(200, status_of(answer));
    answer = strstr(answer + 1, "HTTP/1.1 ");
    assert_non_null(answer);
    assert_int_equal(404, status_of(answer));
    answer = strstr(answer + 1, "HTTP/1.1 ");
    assert_non_null(answer);
    assert_int_equal(200, status_of(answer));
}

static void parameters_of_the_query_are_decoded(void **state)
{
    struct api_request request = {.query = "a=1&key=x%20y+z%2B&empty=&bad=%zz&cut=%4&nul=%00"};
    char value[16];

    (void)state;
    assert_true(api_query(&request, "key", value, sizeof(value)));
    assert_string_equal("x y z+", value);
    assert_true(api_query(&request, "empty", value, sizeof(value)));
    assert_string_equal("", value);
    assert_false(api_query(&request, "none", value, sizeof(value)));
    assert_false(api_query(&request, "ke", value, sizeof(value)));
    assert_false(api_query(&request, "bad", value, sizeof(value)));
    assert_false(api_query(&request, "cut", value, sizeof(value)));
    assert_false(api_query(&request, "nul", value, sizeof(value)));
    assert_false(api_query(&request, "key", value, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_route_is_answered, make, destroy),
        cmocka_unit_test_setup_teardown(head_is_get_without_its_body, make, destroy),
        cmocka_unit_test_setup_teardown(what_is_no_route_is_404, make, destroy),
        cmocka_unit_test_setup_teardown(another_method_is_405_with_those_allowed, make, destroy),
        cmocka_unit_test_setup_teardown(a_link_reaches_the_classic_calls_only, make, destroy),
        cmocka_unit_test_setup_teardown(a_sentence_quotes_nothing_that_breaks_the_json, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(another_host_is_421_but_for_probes, make, destroy),
        cmocka_unit_test_setup_teardown(a_long_body_is_413_announced_or_not, make, destroy),
        cmocka_unit_test_setup_teardown(a_target_that_is_too_long_is_414, make, destroy),
        cmocka_unit_test_setup_teardown(who_waits_for_100_continue_hears_it, make, destroy),
        cmocka_unit_test_setup_teardown(nonsense_is_answered_in_json, make, destroy),
        cmocka_unit_test_setup_teardown(one_connection_asks_many_times, make, destroy),
        cmocka_unit_test(parameters_of_the_query_are_decoded),
    };

    return cmocka_run_group_tests_name("api/api_routes", tests, NULL, NULL);
}
