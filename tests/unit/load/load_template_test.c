#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>

#include "load/load_template.h"

static struct error why;

static void check(const struct load_template *head, struct view key, const char *expected)
{
    char out[4096];
    struct view text;

    assert_true(load_template_room(head, key.size) <= sizeof(out));
    text = load_template_fill(head, key, out);
    assert_true(text.size <= load_template_room(head, key.size));
    assert_true(view_equals(text, view_of(expected)));
}

static void a_head_without_a_place_is_always_the_same(void **state)
{
    struct load_template head;

    (void)state;
    load_template_init(&head);
    assert_int_equal(load_template_begin(&head, "GET", VIEW("/home?a=b"), &why), 0);
    assert_int_equal(load_template_field(&head, VIEW("Host"), VIEW("x"), &why), 0);
    assert_int_equal(load_template_close(&head, &why), 0);
    check(&head, VIEW("key"), "GET /home?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    load_template_finish(&head);
}

static void the_key_stands_in_every_place(void **state)
{
    struct load_template head;

    (void)state;
    load_template_init(&head);
    assert_int_equal(load_template_begin(&head, "PUT", VIEW("/{key}/x{key}"), &why), 0);
    assert_int_equal(load_template_field(&head, VIEW("X-User"), VIEW("u-{key}!"), &why), 0);
    check(&head, VIEW("7"), "PUT /7/x7 HTTP/1.1\r\nX-User: u-7!\r\n");
    check(&head, VIEW(""), "PUT //x HTTP/1.1\r\nX-User: u-!\r\n");
    load_template_finish(&head);
}

static void a_key_in_the_target_is_percent_encoded(void **state)
{
    struct load_template head;

    (void)state;
    load_template_init(&head);
    assert_int_equal(load_template_begin(&head, "GET", VIEW("/{key}"), &why), 0);
    assert_int_equal(load_template_field(&head, VIEW("K"), VIEW("{key}"), &why), 0);
    check(&head, VIEW("a b/\xc3\xa9~"), "GET /a%20b%2F%C3%A9~ HTTP/1.1\r\nK: a b/\xc3\xa9~\r\n");
    load_template_finish(&head);
}

static void what_would_break_a_head_is_refused(void **state)
{
    struct load_template head;

    (void)state;
    load_template_init(&head);
    assert_int_equal(load_template_begin(&head, "GE T", VIEW("/"), &why), -EINVAL);
    assert_int_equal(load_template_begin(&head, "", VIEW("/"), &why), -EINVAL);
    assert_int_equal(load_template_begin(&head, "GET", VIEW("/a b"), &why), -EINVAL);
    assert_int_equal(load_template_begin(&head, "GET", VIEW("/a\r\nX: y"), &why), -EINVAL);
    assert_int_equal(load_template_field(&head, VIEW("a b"), VIEW("x"), &why), -EINVAL);
    assert_int_equal(load_template_field(&head, VIEW(""), VIEW("x"), &why), -EINVAL);
    assert_int_equal(load_template_field(&head, VIEW("a"), VIEW("x\r\ny: z"), &why), -EINVAL);
    load_template_finish(&head);
}

static void what_frames_a_message_is_not_the_users(void **state)
{
    struct load_template head;

    (void)state;
    load_template_init(&head);
    assert_int_equal(load_template_field(&head, VIEW("content-length"), VIEW("3"), &why), -EINVAL);
    assert_int_equal(load_template_field(&head, VIEW("Transfer-Encoding"), VIEW("chunked"), &why),
                     -EINVAL);
    assert_int_equal(load_template_field(&head, VIEW("Connection"), VIEW("close"), &why), -EINVAL);
    load_template_finish(&head);
}

static void places_and_bytes_have_a_limit(void **state)
{
    struct load_template head;
    char large[LOAD_TEMPLATE_BYTES_MAX];

    (void)state;
    load_template_init(&head);
    memset(large, 'x', sizeof(large));
    for (unsigned i = 0; i < LOAD_TEMPLATE_PLACES_MAX; i++)
        assert_int_equal(load_template_field(&head, VIEW("a"), VIEW("{key}"), &why), 0);
    assert_int_equal(load_template_field(&head, VIEW("a"), VIEW("{key}"), &why), -EINVAL);
    assert_int_equal(
        load_template_field(&head, VIEW("a"), (struct view){large, sizeof(large)}, &why), -EINVAL);
    load_template_finish(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_without_a_place_is_always_the_same),
        cmocka_unit_test(the_key_stands_in_every_place),
        cmocka_unit_test(a_key_in_the_target_is_percent_encoded),
        cmocka_unit_test(what_would_break_a_head_is_refused),
        cmocka_unit_test(what_frames_a_message_is_not_the_users),
        cmocka_unit_test(places_and_bytes_have_a_limit),
    };

    return cmocka_run_group_tests_name("load/load_template", tests, NULL, NULL);
}
