#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "any_cut.h"
#include "http/h1_rules.h"

#define EOL   "\r\n"
#define GET   "GET / HTTP/1.1" EOL "Host: a" EOL
#define OLD   "GET / HTTP/1.0" EOL "Host: a" EOL
#define BARE  "GET / HTTP/1.1" EOL
#define OK    "HTTP/1.1 200 OK" EOL
#define OLDOK "HTTP/1.0 200 OK" EOL

static const struct h1_limits limits = {.head_bytes = 32 * 1024, .fields = HEAD_FIELDS_MAX};

static struct any_cut *parse(any_cut_fn how, const char *bytes)
{
    return any_cut_parse(how, &limits, view_of(bytes));
}

static const struct head *good(any_cut_fn how, const char *bytes)
{
    struct any_cut *got = parse(how, bytes);

    if (got->verdict.result != H1_DONE)
        fail_msg("%s: %d %s", bytes, (int)got->verdict.result, got->verdict.reason);
    return &got->head;
}

static void bad(any_cut_fn how, const char *bytes, uint16_t status)
{
    struct any_cut *got = parse(how, bytes);

    if (got->verdict.result != H1_BAD || got->verdict.status != status)
        fail_msg("%s: result %d status %d", bytes, (int)got->verdict.result, got->verdict.status);
}

/* RFC 9112 6.3. */
static void a_request_is_framed_by_one_rule(void **state)
{
    static const struct {
        const char *bytes;
        enum framing kind;
        uint64_t length;
    } cases[] = {
        {GET EOL, FRAMING_NONE, 0},
        {"POST / HTTP/1.1" EOL "Host: a" EOL EOL, FRAMING_NONE, 0},
        {GET "Content-Length: 0" EOL EOL, FRAMING_LENGTH, 0},
        {GET "content-length:\t7 " EOL EOL, FRAMING_LENGTH, 7},
        {GET "CONTENT-LENGTH: 00012" EOL EOL, FRAMING_LENGTH, 12},
        {GET "Content-Length: 9223372036854775807" EOL EOL, FRAMING_LENGTH, INT64_MAX},
        {OLD "Content-Length: 3" EOL EOL, FRAMING_LENGTH, 3},
        {GET "Transfer-Encoding: chunked" EOL EOL, FRAMING_CHUNKED, 0},
        {GET "transfer-ENCODING: \tCHUNKED " EOL EOL, FRAMING_CHUNKED, 0},
        /* Names that only look alike are other fields. */
        {GET "Content_Length: 5" EOL EOL, FRAMING_NONE, 0},
        {GET "Transfer-Encoding-: chunked" EOL EOL, FRAMING_NONE, 0},
        {GET "X-Transfer-Encoding: chunked" EOL EOL, FRAMING_NONE, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct head *head = good(h1_parse_request, cases[i].bytes);

        assert_int_equal(head->body.kind, cases[i].kind);
        assert_int_equal(head->body.length, cases[i].length);
    }
}

static const char *const bad_framings[] = {
    /* RFC 9110 8.6 and RFC 9112 6.3, item 5. */
    "Content-Length:" EOL,
    "Content-Length: +5" EOL,
    "Content-Length: -5" EOL,
    "Content-Length: 5 5" EOL,
    "Content-Length: 5,5" EOL,
    "Content-Length: 5, 5" EOL,
    "Content-Length: 5," EOL,
    "Content-Length: 0x5" EOL,
    "Content-Length: 5a" EOL,
    "Content-Length: 5.0" EOL,
    "Content-Length: \"5\"" EOL,
    "Content-Length: 9223372036854775808" EOL,
    "Content-Length: 18446744073709551621" EOL,
    "Content-Length: 99999999999999999999999999999999999" EOL,
    "Content-Length: 5" EOL "Content-Length: 5" EOL,
    "Content-Length: 5" EOL "Content-Length: 6" EOL,
    "Content-Length: 5" EOL "content-length:" EOL,
    /* RFC 9112 6.1 and 6.3, item 3. */
    "Content-Length: 5" EOL "Transfer-Encoding: chunked" EOL,
    "Transfer-Encoding: chunked" EOL "Content-Length: 0" EOL,
    "Transfer-Encoding: chunked" EOL "Content-Length: x" EOL,
    /* RFC 9112 6.1, 7 and 6.3, item 4. */
    "Transfer-Encoding:" EOL,
    "Transfer-Encoding: identity" EOL,
    "Transfer-Encoding: gzip" EOL,
    "Transfer-Encoding: gzip, chunked" EOL,
    "Transfer-Encoding: chunked, gzip" EOL,
    "Transfer-Encoding: chunked, chunked" EOL,
    "Transfer-Encoding: chunked," EOL,
    "Transfer-Encoding: ,chunked" EOL,
    "Transfer-Encoding: chunked;a=b" EOL,
    "Transfer-Encoding: \"chunked\"" EOL,
    "Transfer-Encoding: xchunked" EOL,
    "Transfer-Encoding: chunke" EOL,
    "Transfer-Encoding: c hunked" EOL,
    "Transfer-Encoding: chunked\x80" EOL,
    "Transfer-Encoding: chunked" EOL "Transfer-Encoding: chunked" EOL,
    "Transfer-Encoding: chunked" EOL "Transfer-Encoding: identity" EOL,
    "Transfer-Encoding:" EOL "Transfer-Encoding: chunked" EOL,
};

static void doubtful_framing_is_refused_in_both_directions(void **state)
{
    char text[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_framings); i++) {
        snprintf(text, sizeof(text), GET "%s" EOL, bad_framings[i]);
        bad(h1_parse_request, text, 400);
        snprintf(text, sizeof(text), OK "%s" EOL, bad_framings[i]);
        bad(h1_parse_answer, text, 502);
    }
    /* RFC 9112 6.1: chunked does not exist in HTTP/1.0. */
    bad(h1_parse_request, OLD "Transfer-Encoding: chunked" EOL EOL, 400);
    bad(h1_parse_answer, OLDOK "Transfer-Encoding: chunked" EOL EOL, 502);
}

/* RFC 9112 3.2, RFC 9110 7.2. */
static void host_is_there_once_and_well_formed(void **state)
{
    static const char *const refused[] = {
        BARE EOL,
        BARE "Host:" EOL EOL,
        BARE "Host: a" EOL "Host: a" EOL EOL,
        BARE "Host: a" EOL "host: b" EOL EOL,
        BARE "Host: a, b" EOL EOL,
        BARE "Host: a b" EOL EOL,
        BARE "Host: u@a" EOL EOL,
        BARE "Host: a/b" EOL EOL,
        BARE "Host: http://a" EOL EOL,
        BARE "Host: a:b" EOL EOL,
        BARE "Host: a:80:80" EOL EOL,
        BARE "Host: :80" EOL EOL,
        BARE "Host: \xc3\xa9" EOL EOL,
        BARE "Hosts: a" EOL EOL,
        "GET / HTTP/1.0" EOL "Host:" EOL EOL,
        "GET / HTTP/1.0" EOL "Host: a" EOL "Host: a" EOL EOL,
        /* RFC 9112 3.2.2: it is ignored, not unread. */
        "GET http://a/ HTTP/1.1" EOL EOL,
        "GET http://a/ HTTP/1.1" EOL "Host: a b" EOL EOL,
        "GET http://a/ HTTP/1.1" EOL "Host: a" EOL "Host: a" EOL EOL,
    };
    const struct head *head;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        bad(h1_parse_request, refused[i], 400);
    head = good(h1_parse_request, BARE "hOST:  A.example:8080 " EOL EOL);
    assert_true(view_equals(head->host, VIEW("A.example:8080")));
    head = good(h1_parse_request, "GET / HTTP/1.0" EOL EOL);
    assert_null(head->host.data);
}

static void the_authority_of_the_target_takes_the_place_of_host(void **state)
{
    const struct head *head =
        good(h1_parse_request, "GET http://b:1/c HTTP/1.1" EOL "Host: a" EOL EOL);

    (void)state;
    assert_true(view_equals(head->host, VIEW("b:1")));
    assert_true(view_equals(head_find(head, FIELD_HOST)->value, VIEW("b:1")));
    assert_false(head_find(head, FIELD_HOST)->is_dropped);
}

/* Names of the fields that are passed on, each followed by a space. */
static const char *passed_on(const struct head *head)
{
    static char names[1024];
    size_t at = 0;

    names[0] = 0;
    for (uint16_t i = 0; i < head->field_count; i++) {
        if (!head->fields[i].is_dropped)
            at += (size_t)sprintf(names + at, "%.*s ", VIEW_ARGUMENTS(head->fields[i].name));
    }
    return names;
}

/* RFC 9110 7.6.1. */
static void hop_by_hop_fields_are_dropped(void **state)
{
    static const struct {
        const char *bytes, *left;
    } cases[] = {
        {GET "A: 1" EOL EOL, "Host A "},
        {GET "Connection: a" EOL "A: 1" EOL "B: 1" EOL EOL, "Host B "},
        {GET "A: 1" EOL "B: 1" EOL "Connection: , b ,\ta," EOL EOL, "Host "},
        {GET "A: 1" EOL "a: 2" EOL "Connection: close" EOL "Connection: A" EOL EOL, "Host "},
        {GET "Connection: host" EOL EOL, "Host "},
        {GET "Connection: Content-Length, Transfer-Encoding" EOL "Content-Length: 0" EOL EOL,
         "Host "},
        {GET "Connection: keep-alive" EOL "Keep-Alive: timeout=5" EOL EOL, "Host "},
        {GET "Keep-Alive: 1" EOL "Proxy-Connection: close" EOL "TE: trailers" EOL EOL, "Host "},
        {GET "Upgrade: h2c" EOL "HTTP2-Settings: AAMAAABkAAQAAP__" EOL
             "Connection: Upgrade, HTTP2-Settings" EOL EOL,
         "Host "},
        {GET "Trailer: a" EOL "Proxy-Authorization: b" EOL "Via: c" EOL "Cookie: d" EOL EOL,
         "Host Trailer Proxy-Authorization Via Cookie "},
        {GET "Connection: cookie, x-forwarded-for" EOL "Cookie: d" EOL "X-Forwarded-For: e" EOL EOL,
         "Host "},
        {GET "Connection:" EOL "A: 1" EOL EOL, "Host A "},
        {GET "Expect: 100-continue" EOL EOL, "Host Expect "},
        {OLD "Expect: 100-continue" EOL EOL, "Host "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_string_equal(passed_on(good(h1_parse_request, cases[i].bytes)), cases[i].left);
    assert_string_equal(
        passed_on(good(h1_parse_answer,
                       OK "Connection: x, close" EOL "X: 1" EOL "Proxy-Authenticate: b" EOL
                          "Content-Length: 1" EOL "Trailer: t" EOL EOL)),
        "Proxy-Authenticate Trailer ");
}

static void naming_the_framing_in_connection_changes_nothing(void **state)
{
    const struct head *head =
        good(h1_parse_request, GET "Connection: content-length" EOL "Content-Length: 7" EOL EOL);

    (void)state;
    assert_int_equal(head->body.kind, FRAMING_LENGTH);
    assert_int_equal(head->body.length, 7);
    bad(h1_parse_request,
        GET "Connection: content-length" EOL "Content-Length: 7" EOL
            "Transfer-Encoding: chunked" EOL EOL,
        400);
}

static void a_connection_that_is_no_list_of_tokens_is_refused(void **state)
{
    (void)state;
    bad(h1_parse_request, GET "Connection: a b" EOL EOL, 400);
    bad(h1_parse_request, GET "Connection: \"close\"" EOL EOL, 400);
    bad(h1_parse_request, GET "Connection: close;a" EOL EOL, 400);
}

/* RFC 9110 5.6.1.2: not so many that reading them is an attack. */
static void lists_have_a_limit_together(void **state)
{
    static const char *const names[] = {"Connection", "Upgrade", "TE", "Expect"};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t at = (size_t)sprintf(text, GET "Connection: x, , y" EOL "%s: ,,", names[i]);

        for (int element = 2; element < H1_RULES_LIST_ELEMENTS_MAX; element++)
            at += (size_t)sprintf(text + at, " a ,,");
        strcpy(text + at, EOL EOL);
        good(h1_parse_request, text);
        strcpy(text + at, "b" EOL EOL);
        bad(h1_parse_request, text, 400);
    }
}

/* RFC 9112 9.3 and 9.6. */
static void who_closes_is_read_from_version_and_connection(void **state)
{
    static const struct {
        const char *bytes;
        bool closes;
    } cases[] = {
        {GET EOL, false},
        {GET "Connection: close" EOL EOL, true},
        {GET "Connection: CLOSE" EOL EOL, true},
        {GET "Connection: keep-alive, close" EOL EOL, true},
        {GET "Connection: keep-alive" EOL "Connection: close" EOL EOL, true},
        {GET "Connection: closed" EOL EOL, false},
        {GET "Proxy-Connection: close" EOL EOL, false},
        {OLD EOL, true},
        {OLD "Connection: Keep-Alive" EOL EOL, false},
        {OLD "Connection: keep-alive, close" EOL EOL, true},
        {OLD "Proxy-Connection: keep-alive" EOL EOL, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(good(h1_parse_request, cases[i].bytes)->says_close, cases[i].closes);
}

/* RFC 9110 7.8, RFC 6455 4.1. */
static void only_a_whole_handshake_asks_for_a_tunnel(void **state)
{
#define WS "Upgrade: websocket" EOL
#define UP "Connection: Upgrade" EOL
    static const struct {
        const char *bytes;
        bool has, asks;
    } cases[] = {
        {GET UP WS EOL, true, true},
        {GET "connection: keep-alive, UPGRADE" EOL "upgrade: WebSocket" EOL EOL, true, true},
        {GET UP "Upgrade: foo, websocket" EOL EOL, true, true},
        {GET UP WS "Content-Length: 0" EOL EOL, true, true},
        {GET UP "Upgrade: h2c" EOL EOL, true, false},
        {GET UP "Upgrade: h2c, foo" EOL EOL, true, false},
        {GET UP "Upgrade: HTTP/2.0" EOL EOL, true, false},
        {GET UP "Upgrade: tls/1.2" EOL EOL, true, false},
        {GET UP "Upgrade: foo, bar" EOL EOL, true, false},
        {GET UP "Upgrade: foo bar" EOL EOL, true, false},
        {GET UP "Upgrade: foo/" EOL EOL, true, false},
        {GET UP "Upgrade: tcp" EOL EOL, true, true},
        {GET UP "Upgrade: websocket/13" EOL EOL, true, true},
        {"POST / HTTP/1.1" EOL "Host: a" EOL UP "Upgrade: foo/1" EOL EOL, true, true},
        {GET UP EOL, false, false},
        {GET WS EOL, true, false},
        {GET UP WS "Content-Length: 1" EOL EOL, true, false},
        {GET UP WS "Transfer-Encoding: chunked" EOL EOL, true, false},
        {OLD UP WS EOL, true, false},
        {"POST / HTTP/1.1" EOL "Host: a" EOL UP WS EOL, true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct head *head = good(h1_parse_request, cases[i].bytes);

        assert_int_equal(head->has_upgrade, cases[i].has);
        assert_int_equal(head->asks_upgrade, cases[i].asks);
    }
    assert_true(good(h1_parse_answer, "HTTP/1.1 101 x" EOL UP WS EOL)->has_upgrade);
}

/* RFC 9110 10.1.1 and 10.1.4. */
static void expectations_and_trailers_are_seen(void **state)
{
    const struct head *head;

    (void)state;
    head = good(h1_parse_request, GET EOL);
    assert_false(head->expects_continue);
    assert_false(head->accepts_trailers);
    head = good(h1_parse_request, GET "Expect: 100-Continue" EOL "TE: gzip;q=1, Trailers" EOL EOL);
    assert_true(head->expects_continue);
    assert_true(head->accepts_trailers);
    head = good(h1_parse_request, OLD "Expect: 100-continue" EOL "TE: gzip" EOL EOL);
    assert_false(head->expects_continue);
    assert_false(head->accepts_trailers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_framed_by_one_rule),
        cmocka_unit_test(doubtful_framing_is_refused_in_both_directions),
        cmocka_unit_test(host_is_there_once_and_well_formed),
        cmocka_unit_test(the_authority_of_the_target_takes_the_place_of_host),
        cmocka_unit_test(hop_by_hop_fields_are_dropped),
        cmocka_unit_test(naming_the_framing_in_connection_changes_nothing),
        cmocka_unit_test(a_connection_that_is_no_list_of_tokens_is_refused),
        cmocka_unit_test(lists_have_a_limit_together),
        cmocka_unit_test(who_closes_is_read_from_version_and_connection),
        cmocka_unit_test(only_a_whole_handshake_asks_for_a_tunnel),
        cmocka_unit_test(expectations_and_trailers_are_seen),
    };

    return cmocka_run_group_tests_name("http/h1_rules", tests, NULL, NULL);
}
