#include "parsed.h"

#include <stdio.h>

#include "proxy/forward.h"

#define TEXT_BYTES 8192

/* The request `text` as it goes on. */
static const char *forwarded(const char *text, const struct forward_request *given)
{
    static char out[TEXT_BYTES];
    struct parsed parsed;
    struct h1_writer writer;

    parsed_read(&parsed, text);
    h1_write_init(&writer, out, sizeof(out) - 1);
    forward_request_head(&writer, &parsed.head, given);
    assert_false(writer.is_full);
    assert_true(h1_write_result(&writer).size <= forward_request_bytes(&parsed.head) +
                                                     2 * parsed.head.host.size +
                                                     2 * given->default_host.size);
    *writer.at = 0;
    return out;
}

static const struct forward_request from_stranger = {.client_ip = {"9.9.9.9", 7},
                                                     .default_host = {"web", 3}};
static const struct forward_request from_trusted = {
    .client_ip = {"10.0.0.1", 8}, .default_host = {"web", 3}, .is_trusted = true};

static void a_stranger_names_nobody(void **state)
{
    (void)state;
    assert_string_equal(
        forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n"
                  "X-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nX-Roost-Replica: c\r\n\r\n",
                  &from_stranger),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: a\r\n");
}

static void who_is_trusted_is_continued(void **state)
{
    (void)state;
    assert_string_equal(forwarded("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n"
                                  "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n\r\n",
                                  &from_trusted),
                        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                        "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1\r\nX-Forwarded-Host: a\r\n");
}

static void a_field_that_connection_names_counts_as_absent(void **state)
{
    (void)state;
    assert_string_equal(
        forwarded("GET / HTTP/1.1\r\nHost: a\r\n"
                  "Connection: x-forwarded-for, x-forwarded-proto, x-forwarded-host\r\n"
                  "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\n"
                  "X-Forwarded-Host: b\r\n\r\n",
                  &from_trusted),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: a\r\n");
}

static void max_forwards_is_counted_down_for_options_alone(void **state)
{
    static const struct {
        const char *method;
        const char *sent;
        const char *passed; /* NULL: it ends here */
    } cases[] = {
        {"OPTIONS", "1", "0"},
        {"OPTIONS", "10", "9"},
        {"OPTIONS", "0", NULL},
        {"OPTIONS", "00", NULL},
        {"OPTIONS", "-1", "-1"},
        {"OPTIONS", "x", "x"},
        {"OPTIONS", "99999999999999999999", "99999999999999999999"},
        {"GET", "0", "0"},
        {"GET", "5", "5"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct parsed parsed;
        char text[256];
        char expected[256];

        snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\nmax-forwards: %s\r\n\r\n",
                 cases[i].method, cases[i].sent);
        parsed_read(&parsed, text);
        assert_int_equal(forward_is_final(&parsed.head), !cases[i].passed);
        if (!cases[i].passed)
            continue;
        snprintf(expected, sizeof(expected),
                 "%s / HTTP/1.1\r\nHost: a\r\nmax-forwards: %s\r\nX-Forwarded-For: 9.9.9.9\r\n"
                 "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n",
                 cases[i].method, cases[i].passed);
        assert_string_equal(forwarded(text, &from_stranger), expected);
    }
}

static void an_old_request_without_a_host_gets_the_services_name(void **state)
{
    (void)state;
    assert_string_equal(
        forwarded("GET /x HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", &from_stranger),
        "GET /x HTTP/1.1\r\nHost: web\r\nX-Forwarded-For: 9.9.9.9\r\n"
        "X-Forwarded-Proto: http\r\nX-Forwarded-Host: web\r\n");
}

/* The answer `text` to a request of `method` as it goes on. */
static const char *answered(const char *text, enum method method,
                            const struct forward_answer *given)
{
    static char out[TEXT_BYTES];
    const struct h1_limits limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};
    struct field fields[HEAD_FIELDS_MAX];
    struct head head = {.fields = fields};
    struct h1_writer writer;
    size_t scanned = 0;

    assert_int_equal(h1_parse_answer(view_of(text), &limits, &scanned, &head).result, H1_DONE);
    head.body = head_answer_framing(&head, method, false);
    h1_write_init(&writer, out, sizeof(out) - 1);
    forward_answer_head(&writer, &head, given);
    assert_false(writer.is_full);
    *writer.at = 0;
    return out;
}

static void an_answer_gains_nothing_unless_asked_for(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Roost-Replica: own\r\nConnection: X-Hop\r\n"
                               "X-Hop: 1\r\nContent-Length: 2\r\nKeep-Alive: 5\r\n\r\n";
    const struct forward_answer nothing = {.replica = {NULL, 0}};
    const struct forward_answer exposed = {.replica = VIEW("web-1"), .request_id = VIEW("7")};
    const struct forward_answer waited = {
        .replica = VIEW("web-1"), .is_held = true, .held_ms = 213};

    (void)state;
    /* The length is the stream's to write where there is a body. */
    assert_string_equal(answered(text, METHOD_GET, &nothing),
                        "HTTP/1.1 200 OK\r\nX-Roost-Replica: own\r\n");
    assert_string_equal(answered(text, METHOD_HEAD, &nothing),
                        "HTTP/1.1 200 OK\r\nX-Roost-Replica: own\r\nContent-Length: 2\r\n");
    assert_string_equal(answered(text, METHOD_GET, &exposed),
                        "HTTP/1.1 200 OK\r\nX-Roost-Replica: web-1\r\nX-Request-ID: 7\r\n");
    assert_string_equal(answered("HTTP/1.1 200 OK\r\nX-Roost-held: 7\r\nContent-Length: 2\r\n\r\n",
                                 METHOD_GET, &waited),
                        "HTTP/1.1 200 OK\r\nX-Roost-Replica: web-1\r\nX-Roost-Held: 213\r\n");
    assert_string_equal(
        answered("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", METHOD_GET, &nothing),
        "HTTP/1.1 204 No Content\r\n");
    assert_string_equal(
        answered("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", METHOD_GET, &nothing),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_names_nobody),
        cmocka_unit_test(who_is_trusted_is_continued),
        cmocka_unit_test(a_field_that_connection_names_counts_as_absent),
        cmocka_unit_test(max_forwards_is_counted_down_for_options_alone),
        cmocka_unit_test(an_old_request_without_a_host_gets_the_services_name),
        cmocka_unit_test(an_answer_gains_nothing_unless_asked_for),
    };

    return cmocka_run_group_tests_name("proxy/forward", tests, NULL, NULL);
}
