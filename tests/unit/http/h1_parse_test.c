#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "any_cut.h"

#define EOL "\r\n"
#define H   "Host: a\r\n\r\n"

static const struct h1_limits limits = {.head_bytes = 32 * 1024, .fields = HEAD_FIELDS_MAX};

static void expect_view(struct view got, const char *wanted)
{
    if (!wanted) {
        assert_null(got.data);
        return;
    }
    assert_int_equal(got.size, strlen(wanted));
    assert_memory_equal(got.data, wanted, got.size);
}

struct bad_case {
    const char *rule;
    const char *bytes;
    uint16_t status;
};

static void expect_bad(const struct bad_case *cases, size_t count, any_cut_fn parse)
{
    for (size_t i = 0; i < count; i++) {
        struct any_cut *got = any_cut_parse(parse, &limits, view_of(cases[i].bytes));

        if (got->verdict.result != H1_BAD || got->verdict.status != cases[i].status)
            fail_msg("%s: %s: result %d status %d", cases[i].rule, cases[i].bytes,
                     (int)got->verdict.result, got->verdict.status);
        assert_non_null(got->verdict.reason);
    }
}

static void a_small_request_is_taken_apart(void **state)
{
    struct view input = VIEW("POST /a/b?c=d&e HTTP/1.1\r\nHost: example.org:80\r\nX-Empty:\r\n"
                             "x-request-id: \t 42 \t\r\nContent-Length: 5\r\n\r\nhello");
    struct any_cut *got = any_cut_parse(h1_parse_request, &limits, input);
    const struct head *head = &got->head;

    (void)state;
    assert_int_equal(got->verdict.result, H1_DONE);
    assert_int_equal(got->verdict.size, input.size - 5);
    assert_int_equal(head->method, METHOD_POST);
    expect_view(head->method_text, "POST");
    expect_view(head->target, "/a/b?c=d&e");
    expect_view(head->path, "/a/b");
    expect_view(head->query, "c=d&e");
    expect_view(head->host, "example.org:80");
    assert_int_equal(head->minor_version, 1);
    assert_false(head->says_close);
    assert_int_equal(head->field_count, 4);
    expect_view(head->fields[1].name, "X-Empty");
    expect_view(head->fields[1].value, "");
    expect_view(head->fields[2].value, "42");
    assert_int_equal(head->fields[2].id, FIELD_X_REQUEST_ID);
    assert_int_equal(head->body.kind, FRAMING_LENGTH);
    assert_int_equal(head->body.length, 5);
}

static void targets_come_out_in_origin_form(void **state)
{
    static const struct {
        const char *rule, *bytes, *target, *path, *query, *host;
    } cases[] = {
        /* RFC 9112 3.2.1 */
        {"origin", "GET / HTTP/1.1" EOL H, "/", "/", NULL, "a"},
        {"query", "GET /?q HTTP/1.1" EOL H, "/?q", "/", "q", "a"},
        {"empty query", "GET /a? HTTP/1.1" EOL H, "/a?", "/a", "", "a"},
        {"second ?", "GET /a?b?c HTTP/1.1" EOL H, "/a?b?c", "/a", "b?c", "a"},
        {"two slashes", "GET //x/y HTTP/1.1" EOL H, "//x/y", "//x/y", NULL, "a"},
        {"odd bytes", "GET /\"<>[]^`{|}\\% HTTP/1.1" EOL H, "/\"<>[]^`{|}\\%", "/\"<>[]^`{|}\\%",
         NULL, "a"},
        /* RFC 9112 3.2.2 */
        {"absolute", "GET http://b:8/c?d HTTP/1.1" EOL H, "/c?d", "/c", "d", "b:8"},
        {"absolute https", "GET HTTPS://b/c HTTP/1.1" EOL H, "/c", "/c", NULL, "b"},
        {"absolute, no path", "GET http://b HTTP/1.1" EOL H, "/", "/", NULL, "b"},
        {"absolute, query only", "GET http://b?d HTTP/1.1" EOL H, "?d", "/", "d", "b"},
        {"absolute, IPv6", "GET http://[::1]:80/ HTTP/1.1" EOL H, "/", "/", NULL, "[::1]:80"},
        {"absolute, no host, 1.0", "GET http://b/ HTTP/1.0" EOL EOL, "/", "/", NULL, "b"},
        {"two in one", "GET http://b/http://c/ HTTP/1.1" EOL H, "/http://c/", "/http://c/", NULL,
         "b"},
        /* RFC 9112 3.2.4 */
        {"asterisk", "OPTIONS * HTTP/1.1" EOL H, "*", "*", NULL, "a"},
        {"OPTIONS absolute", "OPTIONS http://b HTTP/1.1" EOL H, "*", "*", NULL, "b"},
        {"OPTIONS absolute /", "OPTIONS http://b/ HTTP/1.1" EOL H, "/", "/", NULL, "b"},
        {"OPTIONS absolute ?", "OPTIONS http://b?c HTTP/1.1" EOL H, "?c", "/", "c", "b"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_cut *got = any_cut_parse(h1_parse_request, &limits, view_of(cases[i].bytes));

        if (got->verdict.result != H1_DONE)
            fail_msg("%s: %s", cases[i].rule, got->verdict.reason);
        expect_view(got->head.target, cases[i].target);
        expect_view(got->head.path, cases[i].path);
        expect_view(got->head.query, cases[i].query);
        expect_view(got->head.host, cases[i].host);
    }
}

static void good_requests_pass(void **state)
{
    static const struct {
        const char *rule, *bytes;
        enum method method;
        uint8_t minor;
    } cases[] = {
        {"9112 2.2: one empty line before", EOL "GET / HTTP/1.1" EOL H, METHOD_GET, 1},
        {"9112 2.3: HTTP/1.0 needs no Host", "GET / HTTP/1.0" EOL EOL, METHOD_GET, 0},
        {"9110 2.5: a higher minor is 1.1", "GET / HTTP/1.9" EOL H, METHOD_GET, 1},
        {"9110 9.1: methods are case-sensitive", "get / HTTP/1.1" EOL H, METHOD_OTHER, 1},
        {"9110 9.1: any token", "!#$%&'*+-.^_`|~9a / HTTP/1.1" EOL H, METHOD_OTHER, 1},
        {"a method of 32 bytes", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1" EOL H, METHOD_OTHER,
         1},
        {"9110 5.6.2: any token is a name", "GET / HTTP/1.1" EOL "!#$%&'*+-.^_`|~9a: 1" EOL H,
         METHOD_GET, 1},
        {"9110 5.5: obs-text in a value", "GET / HTTP/1.1" EOL "a: \x80\xff" EOL H, METHOD_GET, 1},
        {"9112 5: no OWS", "GET / HTTP/1.1" EOL "Host:a" EOL EOL, METHOD_GET, 1},
        {"9112 5: blanks only", "GET / HTTP/1.1" EOL "a:  \t " EOL H, METHOD_GET, 1},
        {"colons in a value", "GET / HTTP/1.1" EOL "a: b:c: d" EOL H, METHOD_GET, 1},
        {"each method", "HEAD / HTTP/1.1" EOL H, METHOD_HEAD, 1},
        {"each method", "PUT / HTTP/1.1" EOL H, METHOD_PUT, 1},
        {"each method", "DELETE / HTTP/1.1" EOL H, METHOD_DELETE, 1},
        {"each method", "PATCH / HTTP/1.1" EOL H, METHOD_PATCH, 1},
        {"each method", "OPTIONS / HTTP/1.1" EOL H, METHOD_OPTIONS, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_cut *got = any_cut_parse(h1_parse_request, &limits, view_of(cases[i].bytes));

        if (got->verdict.result != H1_DONE)
            fail_msg("%s: %s: %d %s", cases[i].rule, cases[i].bytes, got->verdict.status,
                     got->verdict.reason);
        assert_int_equal(got->verdict.size, strlen(cases[i].bytes));
        assert_int_equal(got->head.method, cases[i].method);
        assert_int_equal(got->head.minor_version, cases[i].minor);
    }
}

static void bad_request_lines_are_refused(void **state)
{
    static const struct bad_case cases[] = {
        {"9112 2.2: two empty lines", EOL EOL "GET / HTTP/1.1" EOL H, 400},
        {"9112 2.2: bare LF before", "\nGET / HTTP/1.1" EOL H, 400},
        {"9112 2.2: bare CR before", "\rGET / HTTP/1.1" EOL H, 400},
        {"9112 2.2: blank before", " GET / HTTP/1.1" EOL H, 400},
        {"9112 2.2: line ends with LF", "GET / HTTP/1.1\nHost: a\n\n", 400},
        {"9112 2.2: bare CR in the line", "GET /\r HTTP/1.1" EOL H, 400},
        {"9112 2.2: CR CR LF", "GET / HTTP/1.1\r\r\n" H, 400},
        {"9112 3: two spaces", "GET  / HTTP/1.1" EOL H, 400},
        {"9112 3: two spaces", "GET /  HTTP/1.1" EOL H, 400},
        {"9112 3: a tab", "GET\t/ HTTP/1.1" EOL H, 400},
        {"9112 3: a tab", "GET /\tHTTP/1.1" EOL H, 400},
        {"9112 3: space behind", "GET / HTTP/1.1 " EOL H, 400},
        {"9112 3: no target", "GET HTTP/1.1" EOL H, 400},
        {"9112 3: space in target", "GET /a b HTTP/1.1" EOL H, 400},
        {"9112 3.1: no method", " / HTTP/1.1" EOL H, 400},
        {"9110 9.1: method no token", "GE(T / HTTP/1.1" EOL H, 400},
        {"9110 9.1: method no token", "GET: / HTTP/1.1" EOL H, 400},
        {"9112 3: method too long", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1" EOL H, 501},
        {"9112 3.2: fragment", "GET /a#b HTTP/1.1" EOL H, 400},
        {"9112 3.2: fragment", "GET /# HTTP/1.1" EOL H, 400},
        {"3986 2: byte above 127", "GET /\xc3\xa9 HTTP/1.1" EOL H, 400},
        {"3986 2: control byte", "GET /\x7f HTTP/1.1" EOL H, 400},
        {"9112 3.2: relative", "GET a/b HTTP/1.1" EOL H, 400},
        {"9112 3.2: query only", "GET ?a HTTP/1.1" EOL H, 400},
        {"9112 3.2.2: other scheme", "GET ftp://a/ HTTP/1.1" EOL H, 400},
        {"9112 3.2.2: no authority", "GET http:/// HTTP/1.1" EOL H, 400},
        {"9112 3.2.2: no authority", "GET http:// HTTP/1.1" EOL H, 400},
        {"9112 3.2.2: no slashes", "GET http:a/ HTTP/1.1" EOL H, 400},
        {"9110 4.2.4: userinfo", "GET http://u@a/ HTTP/1.1" EOL H, 400},
        {"9110 4.2.4: userinfo", "GET http://u:p@a/ HTTP/1.1" EOL H, 400},
        {"9110 4.2.1: port only", "GET http://:80/ HTTP/1.1" EOL H, 400},
        {"9110 4.2.1: bad port", "GET http://a:x/ HTTP/1.1" EOL H, 400},
        {"3986 3.2.2: bad host", "GET http://a\\b/ HTTP/1.1" EOL H, 400},
        {"9112 3.2.3: authority-form", "GET a:80 HTTP/1.1" EOL H, 400},
        {"9112 3.2.4: asterisk", "GET * HTTP/1.1" EOL H, 400},
        {"9112 3.2.4: asterisk and more", "OPTIONS *a HTTP/1.1" EOL H, 400},
        {"9110 9.3.6: CONNECT", "CONNECT a:80 HTTP/1.1" EOL H, 400},
        {"9110 9.3.6: CONNECT", "CONNECT / HTTP/1.1" EOL H, 400},
        {"9110 9.3.8: TRACE", "TRACE / HTTP/1.1" EOL H, 405},
        {"9112 2.3: HTTP/0.9", "GET /" EOL, 400},
        {"9112 2.3: version name", "GET / http/1.1" EOL H, 400},
        {"9112 2.3: version name", "GET / HTTQ/1.1" EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/1.10" EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/11.1" EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/1" EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/1." EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/.1" EOL H, 400},
        {"9112 2.3: digits", "GET / HTTP/1,1" EOL H, 400},
        {"9110 15.6.6: major", "GET / HTTP/2.0" EOL H, 505},
        {"9110 15.6.6: major", "GET / HTTP/0.9" EOL H, 505},
        {"9110 15.6.6: major", "GET / HTTP/3.1" EOL H, 505},
        {"9113 3.4: preface", "PRI * HTTP/2.0" EOL EOL "SM" EOL EOL, 505},
        {"TLS hello", "\x16\x03\x01", 400},
    };

    (void)state;
    expect_bad(cases, ARRAY_SIZE(cases), h1_parse_request);
}

static void bad_fields_are_refused(void **state)
{
#define START "GET / HTTP/1.1" EOL
    static const struct bad_case cases[] = {
        {"9112 5.1: blank before colon", START "Host : a" EOL EOL, 400},
        {"9112 5.1: tab before colon", START "Host\t: a" EOL EOL, 400},
        {"9112 5.1: empty name", START ": a" EOL H, 400},
        {"9112 5: no colon", START "abc" EOL H, 400},
        {"9110 5.1: name no token", START "a(b: c" EOL H, 400},
        {"9110 5.1: name no token", START "a\x80: c" EOL H, 400},
        {"9110 5.1: name no token", START "a@b: c" EOL H, 400},
        {"9112 5.2: fold", START "a: b" EOL " c" EOL H, 400},
        {"9112 5.2: fold", START "a: b" EOL "\tc" EOL H, 400},
        {"9112 5.2: empty fold", START "a: b" EOL " " EOL H, 400},
        {"9112 2.2: blank line first", START " Host: a" EOL EOL, 400},
        {"9112 2.2: bare LF", START "a: b\nHost: a" EOL EOL, 400},
        {"9112 2.2: bare LF ends the head", START "Host: a" EOL "\n", 400},
        {"9112 2.2: bare LF ends a name", START "a\nHost: a" EOL EOL, 400},
        {"9110 5.5: bare CR", START "a: b\rc" EOL H, 400},
        {"9110 5.5: CR CR LF", START "a: b\r\r\n" H, 400},
        {"9110 5.5: bare CR ends the head", START "Host: a" EOL "\ra", 400},
        {"9110 5.5: control byte", START "a: \x01" EOL H, 400},
        {"9110 5.5: control byte", START "a: \x7f" EOL H, 400},
        {"9110 5.5: form feed", START "a: \fb" EOL H, 400},
    };
    static const struct view zeros[] = {
        VIEW("GET / HTTP/1.1\r\na: \0\r\nHost: a\r\n\r\n"),
        VIEW("GET / HTTP/1.1\r\na\0: b\r\nHost: a\r\n\r\n"),
        VIEW("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        VIEW("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        VIEW("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    };

    (void)state;
    expect_bad(cases, ARRAY_SIZE(cases), h1_parse_request);
    /* RFC 9110 5.5: NUL. */
    for (size_t i = 0; i < ARRAY_SIZE(zeros); i++) {
        struct any_cut *got = any_cut_parse(h1_parse_request, &limits, zeros[i]);

        assert_int_equal(got->verdict.result, H1_BAD);
        assert_int_equal(got->verdict.status, 400);
    }
#undef START
}

static void what_can_only_be_bad_is_refused_before_the_head_ends(void **state)
{
    static const struct bad_case cases[] = {
        {"a byte that starts no method", "{", 400},
        {"a bad version", "GET / HTTQ", 400},
        {"a line without version", "GET /\r", 400},
        {"the HTTP/2 preface", "PRI * HTTP/2.0" EOL, 505},
        {"a fold", "GET / HTTP/1.1" EOL "a: b" EOL " ", 400},
        {"a control byte", "GET / HTTP/1.1" EOL "a: \x02", 400},
    };

    (void)state;
    expect_bad(cases, ARRAY_SIZE(cases), h1_parse_request);
}

static void an_unfinished_head_waits(void **state)
{
    static const char head[] = EOL "GET /a HTTP/1.1" EOL "Host: a" EOL "B: c" EOL EOL;

    (void)state;
    for (size_t size = 0; size < strlen(head); size++) {
        struct any_cut *got = any_cut_parse(h1_parse_request, &limits, (struct view){head, size});

        assert_int_equal(got->verdict.result, H1_MORE);
    }
}

/* A head of exactly `size` bytes with `fields` fields, Host included. */
static struct view sized_head(size_t size, size_t fields)
{
    static char text[HEAD_BYTES_MAX * 2];
    size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

    for (size_t i = 1; i < fields; i++)
        at += (size_t)sprintf(text + at, "a:\r\n");
    if (size) {
        /* The last value takes what is missing. */
        at -= 2;
        memset(text + at, 'x', size - at - 4);
        at = size - 4;
        at += (size_t)sprintf(text + at, "\r\n");
    }
    at += (size_t)sprintf(text + at, "\r\n");
    return (struct view){text, at};
}

static struct h1_verdict parse_once(any_cut_fn parse, struct view bytes,
                                    const struct h1_limits *some)
{
    static struct field fields[HEAD_FIELDS_MAX];
    struct head head = {.fields = fields};
    size_t scanned = 0;

    return parse(bytes, some, &scanned, &head);
}

static void limits_hold_at_their_edge(void **state)
{
    static const struct h1_limits small = {.head_bytes = 200, .fields = 5};
    struct any_cut *got;

    (void)state;
    got = any_cut_parse(h1_parse_request, &small, sized_head(200, 2));
    assert_int_equal(got->verdict.result, H1_DONE);
    assert_int_equal(got->verdict.size, 200);
    got = any_cut_parse(h1_parse_request, &small, sized_head(201, 2));
    assert_int_equal(got->verdict.result, H1_BAD);
    assert_int_equal(got->verdict.status, 431);
    got = any_cut_parse(h1_parse_request, &small, sized_head(0, 5));
    assert_int_equal(got->verdict.result, H1_DONE);
    got = any_cut_parse(h1_parse_request, &small, sized_head(0, 6));
    assert_int_equal(got->verdict.result, H1_BAD);
    assert_int_equal(got->verdict.status, 431);
    assert_int_equal(parse_once(h1_parse_request, sized_head(32 * 1024, 128), &limits).result,
                     H1_DONE);
    assert_int_equal(parse_once(h1_parse_request, sized_head(32 * 1024 + 1, 1), &limits).status,
                     431);
    assert_int_equal(parse_once(h1_parse_request, sized_head(0, 129), &limits).status, 431);
}

static void a_target_above_its_own_limit_is_414_wherever_it_is_cut(void **state)
{
    const struct h1_limits short_targets = {
        .head_bytes = 32 * 1024, .fields = HEAD_FIELDS_MAX, .target_bytes = 9};
    struct any_cut *got =
        any_cut_parse(h1_parse_request, &short_targets, VIEW("GET /345678?9a HTTP/1.1" EOL H));

    (void)state;
    assert_int_equal(got->verdict.result, H1_BAD);
    assert_int_equal(got->verdict.status, 414);
    got = any_cut_parse(h1_parse_request, &short_targets, VIEW("GET /345678?9a"));
    assert_int_equal(got->verdict.status, 414);
    got = any_cut_parse(h1_parse_request, &short_targets, VIEW("GET /345678?9 HTTP/1.1" EOL H));
    assert_int_equal(got->verdict.result, H1_DONE);
}

static void a_request_line_above_the_limit_is_414(void **state)
{
    static const struct h1_limits small = {.head_bytes = 100, .fields = 5};
    char line[200] = "\r\nGET /";
    struct any_cut *got;

    (void)state;
    memset(line + 7, 'a', sizeof(line) - 7);
    for (size_t start = 0; start <= 2; start += 2) {
        got = any_cut_parse(h1_parse_request, &small,
                            (struct view){line + start, sizeof(line) - start});
        assert_int_equal(got->verdict.result, H1_BAD);
        assert_int_equal(got->verdict.status, 414);
    }
    /* The line fits exactly, the rest does not. */
    memcpy(line + 2 + 89, " HTTP/1.1\r\nHost: a\r\n\r\n", 22);
    got = any_cut_parse(h1_parse_request, &small, (struct view){line + 2, 111});
    assert_int_equal(got->verdict.status, 431);
}

static void answers_are_taken_apart(void **state)
{
    static const struct {
        const char *rule, *bytes;
        uint16_t status;
        const char *reason;
        uint8_t minor;
        bool says_close;
    } cases[] = {
        {"9112 4", "HTTP/1.1 200 OK" EOL EOL, 200, "OK", 1, false},
        {"9112 4: empty reason", "HTTP/1.1 404 " EOL EOL, 404, "", 1, false},
        {"9112 4: no SP", "HTTP/1.1 404" EOL EOL, 404, "", 1, false},
        {"9112 4: any text", "HTTP/1.1 500 A\tb \xff c " EOL EOL, 500, "A\tb \xff c ", 1, false},
        {"9110 2.5", "HTTP/1.7 100 x" EOL EOL, 100, "x", 1, false},
        {"9112 9.3", "HTTP/1.0 599 x" EOL EOL, 599, "x", 0, true},
        {"9112 9.3", "HTTP/1.0 200 x" EOL "connection: Keep-Alive" EOL EOL, 200, "x", 0, false},
        {"9112 9.6", "HTTP/1.1 200 x" EOL "Connection: a, CLOSE" EOL EOL, 200, "x", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct any_cut *got = any_cut_parse(h1_parse_answer, &limits, view_of(cases[i].bytes));

        if (got->verdict.result != H1_DONE)
            fail_msg("%s: %s", cases[i].bytes, got->verdict.reason);
        assert_int_equal(got->head.status, cases[i].status);
        expect_view(got->head.reason, cases[i].reason);
        assert_int_equal(got->head.minor_version, cases[i].minor);
        assert_int_equal(got->head.says_close, cases[i].says_close);
    }
}

static void bad_answers_are_refused(void **state)
{
    static const struct bad_case cases[] = {
        {"9112 4: two digits", "HTTP/1.1 20 OK" EOL EOL, 502},
        {"9112 4: four digits", "HTTP/1.1 2000 OK" EOL EOL, 502},
        {"9110 15: class", "HTTP/1.1 099 OK" EOL EOL, 502},
        {"9110 15: class", "HTTP/1.1 600 OK" EOL EOL, 502},
        {"9112 4: no number", "HTTP/1.1 2x0 OK" EOL EOL, 502},
        {"9112 4: sign", "HTTP/1.1 +20 OK" EOL EOL, 502},
        {"9112 4: no status", "HTTP/1.1 " EOL EOL, 502},
        {"9112 4: no status", "HTTP/1.1" EOL EOL, 502},
        {"9112 4: two spaces", "HTTP/1.1  200 OK" EOL EOL, 502},
        {"9112 4: tab", "HTTP/1.1\t200 OK" EOL EOL, 502},
        {"9112 4: tab", "HTTP/1.1 200\tOK" EOL EOL, 502},
        {"9112 2.2: empty line before", EOL "HTTP/1.1 200 OK" EOL EOL, 502},
        {"9112 2.2: bare LF", "HTTP/1.1 200 OK\n\n", 502},
        {"9112 2.2: bare LF", "HTTP/1.1 200\n\n", 502},
        {"9112 2.2: bare CR", "HTTP/1.1 200 O\rK" EOL EOL, 502},
        {"9112 4: control byte", "HTTP/1.1 200 O\x01K" EOL EOL, 502},
        {"9112 2.3", "HTTP/2.0 200 OK" EOL EOL, 502},
        {"9112 2.3", "http/1.1 200 OK" EOL EOL, 502},
        {"9112 2.3", "ICY 200 OK" EOL EOL, 502},
        {"9112 2.3: HTTP/0.9", "<html>", 502},
        {"9112 5.1", "HTTP/1.1 200 OK" EOL "a : b" EOL EOL, 502},
        {"9112 5.2", "HTTP/1.1 200 OK" EOL "a: b" EOL " c" EOL EOL, 502},
        {"9112 5", "HTTP/1.1 200 OK" EOL "a" EOL EOL, 502},
        {"9110 5.5", "HTTP/1.1 200 OK" EOL "a: \x1f" EOL EOL, 502},
    };
    static const struct h1_limits small = {.head_bytes = 60, .fields = 2};

    (void)state;
    expect_bad(cases, ARRAY_SIZE(cases), h1_parse_answer);
    assert_int_equal(any_cut_parse(h1_parse_answer, &small,
                                   VIEW("HTTP/1.1 200 OK\r\na: b\r\nc: d\r\ne: f\r\n\r\n"))
                         ->verdict.status,
                     502);
    assert_int_equal(any_cut_parse(h1_parse_answer, &small,
                                   VIEW("HTTP/1.1 200 OK\r\nabcdefghijklmnop: "
                                        "qrstuvwxyz0123456789qrstuvwxyz0123456789\r\n\r\n"))
                         ->verdict.status,
                     502);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_request_is_taken_apart),
        cmocka_unit_test(targets_come_out_in_origin_form),
        cmocka_unit_test(good_requests_pass),
        cmocka_unit_test(bad_request_lines_are_refused),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(what_can_only_be_bad_is_refused_before_the_head_ends),
        cmocka_unit_test(an_unfinished_head_waits),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(a_target_above_its_own_limit_is_414_wherever_it_is_cut),
        cmocka_unit_test(a_request_line_above_the_limit_is_414),
        cmocka_unit_test(answers_are_taken_apart),
        cmocka_unit_test(bad_answers_are_refused),
    };

    return cmocka_run_group_tests_name("http/h1_parse", tests, NULL, NULL);
}
