#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name;
    enum field_id id;
} known[] = {
    {"Connection", FIELD_CONNECTION},
    {"Content-Length", FIELD_CONTENT_LENGTH},
    {"Cookie", FIELD_COOKIE},
    {"Expect", FIELD_EXPECT},
    {"Host", FIELD_HOST},
    {"HTTP2-Settings", FIELD_HTTP2_SETTINGS},
    {"Keep-Alive", FIELD_KEEP_ALIVE},
    {"Proxy-Connection", FIELD_PROXY_CONNECTION},
    {"TE", FIELD_TE},
    {"Trailer", FIELD_TRAILER},
    {"Transfer-Encoding", FIELD_TRANSFER_ENCODING},
    {"Upgrade", FIELD_UPGRADE},
    {"Via", FIELD_VIA},
    {"X-Forwarded-For", FIELD_X_FORWARDED_FOR},
    {"X-Forwarded-Host", FIELD_X_FORWARDED_HOST},
    {"X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO},
    {"X-Request-ID", FIELD_X_REQUEST_ID},
    {"X-Roost-Previous-Owner", FIELD_X_ROOST_PREVIOUS_OWNER},
    {"X-Roost-Replica", FIELD_X_ROOST_REPLICA},
};

static void every_known_name_is_found_in_any_case(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(ARRAY_SIZE(known), FIELD_COUNT - 1);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        size_t size = strlen(known[i].name);

        assert_int_equal(head_field_id(view_of(known[i].name)), known[i].id);
        for (size_t at = 0; at < size; at++)
            text[at] =
                (char)(known[i].name[at] >= 'a' && known[i].name[at] <= 'z' ? known[i].name[at] - 32
                                                                            : known[i].name[at]);
        assert_int_equal(head_field_id((struct view){text, size}), known[i].id);
        for (size_t at = 0; at < size; at++)
            text[at] =
                (char)(text[at] >= 'A' && text[at] <= 'Z' && at % 2 ? text[at] + 32 : text[at]);
        assert_int_equal(head_field_id((struct view){text, size}), known[i].id);
    }
}

/* Any one byte changed, added or missing makes it another name. */
static void nothing_like_a_known_name_is_taken_for_it(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(head_field_id(VIEW("")), FIELD_OTHER);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        size_t size = strlen(known[i].name);

        for (size_t at = 0; at < size; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(text, known[i].name, size);
                text[at] = (char)byte;
                if (!view_equals_nocase(view_of(known[i].name), (struct view){text, size}))
                    assert_int_equal(head_field_id((struct view){text, size}), FIELD_OTHER);
            }
        }
        memcpy(text, known[i].name, size);
        text[size] = 's';
        assert_int_equal(head_field_id((struct view){text, size + 1}), FIELD_OTHER);
        assert_int_equal(head_field_id((struct view){text, size - 1}), FIELD_OTHER);
    }
}

static void methods_are_known_in_capitals_only(void **state)
{
    static const char *const texts[] = {"",       "GET",     "HEAD",  "POST",    "PUT",
                                        "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"};

    (void)state;
    for (int method = METHOD_GET; method <= METHOD_TRACE; method++) {
        assert_int_equal(head_method(view_of(texts[method])), method);
        assert_string_equal(head_method_text(method), texts[method]);
    }
    assert_null(head_method_text(METHOD_OTHER));
    assert_int_equal(head_method(VIEW("get")), METHOD_OTHER);
    assert_int_equal(head_method(VIEW("GETS")), METHOD_OTHER);
    assert_int_equal(head_method(VIEW("GE")), METHOD_OTHER);
    assert_int_equal(head_method(VIEW("")), METHOD_OTHER);
    assert_int_equal(head_method(VIEW("PROPFIND")), METHOD_OTHER);
}

static void only_some_methods_may_be_sent_again(void **state)
{
    (void)state;
    assert_true(head_is_idempotent(METHOD_GET));
    assert_true(head_is_idempotent(METHOD_HEAD));
    assert_true(head_is_idempotent(METHOD_OPTIONS));
    assert_true(head_is_idempotent(METHOD_PUT));
    assert_true(head_is_idempotent(METHOD_DELETE));
    assert_false(head_is_idempotent(METHOD_POST));
    assert_false(head_is_idempotent(METHOD_PATCH));
    assert_false(head_is_idempotent(METHOD_OTHER));
    assert_false(head_is_idempotent(METHOD_CONNECT));
    assert_false(head_is_idempotent(METHOD_TRACE));
}

static void fields_are_found_by_id_and_by_name(void **state)
{
    struct field fields[] = {
        {.name = VIEW("A"), .value = VIEW("1")},
        {.name = VIEW("Via"), .value = VIEW("2"), .id = FIELD_VIA},
        {.name = VIEW("a"), .value = VIEW("3")},
        {.name = VIEW("via"), .value = VIEW("4"), .id = FIELD_VIA},
    };
    struct head head = {.fields = fields, .field_count = 4};

    (void)state;
    assert_ptr_equal(head_find(&head, FIELD_VIA), &fields[1]);
    assert_null(head_find(&head, FIELD_HOST));
    assert_ptr_equal(head_find_named(&head, VIEW("a")), &fields[0]);
    assert_ptr_equal(head_find_named(&head, VIEW("VIA")), &fields[1]);
    assert_null(head_find_named(&head, VIEW("b")));
}

/* RFC 9112 6.3. */
static void an_answer_is_framed_by_request_status_and_fields(void **state)
{
    static const struct {
        enum method method;
        uint16_t status;
        bool asked, chunked, has_length;
        enum framing kind;
    } cases[] = {
        {METHOD_GET, 200, false, false, false, FRAMING_CLOSE},
        {METHOD_GET, 200, false, false, true, FRAMING_LENGTH},
        {METHOD_GET, 200, false, true, false, FRAMING_CHUNKED},
        {METHOD_POST, 404, false, false, true, FRAMING_LENGTH},
        {METHOD_GET, 205, false, false, false, FRAMING_CLOSE},
        {METHOD_HEAD, 200, false, false, false, FRAMING_NONE},
        {METHOD_HEAD, 200, false, false, true, FRAMING_NONE},
        {METHOD_HEAD, 200, false, true, false, FRAMING_NONE},
        {METHOD_HEAD, 500, false, false, false, FRAMING_NONE},
        {METHOD_GET, 204, false, false, true, FRAMING_NONE},
        {METHOD_GET, 204, false, true, false, FRAMING_NONE},
        {METHOD_GET, 304, false, false, true, FRAMING_NONE},
        {METHOD_GET, 304, false, true, false, FRAMING_NONE},
        {METHOD_GET, 100, false, false, true, FRAMING_NONE},
        {METHOD_GET, 103, true, false, false, FRAMING_NONE},
        {METHOD_GET, 199, false, true, false, FRAMING_NONE},
        {METHOD_GET, 101, false, false, false, FRAMING_NONE},
        {METHOD_GET, 101, true, false, false, FRAMING_TUNNEL},
        {METHOD_GET, 200, true, false, true, FRAMING_LENGTH},
        {METHOD_GET, 426, true, false, false, FRAMING_CLOSE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct head head = {.status = cases[i].status,
                            .has_transfer_encoding = cases[i].chunked,
                            .has_content_length = cases[i].has_length,
                            .content_length = cases[i].has_length ? 7 : 0};
        struct body_framing got = head_answer_framing(&head, cases[i].method, cases[i].asked);

        assert_int_equal(got.kind, cases[i].kind);
        assert_int_equal(got.length, got.kind == FRAMING_LENGTH ? 7 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_known_name_is_found_in_any_case),
        cmocka_unit_test(nothing_like_a_known_name_is_taken_for_it),
        cmocka_unit_test(methods_are_known_in_capitals_only),
        cmocka_unit_test(only_some_methods_may_be_sent_again),
        cmocka_unit_test(fields_are_found_by_id_and_by_name),
        cmocka_unit_test(an_answer_is_framed_by_request_status_and_fields),
    };

    return cmocka_run_group_tests_name("http/head", tests, NULL, NULL);
}
