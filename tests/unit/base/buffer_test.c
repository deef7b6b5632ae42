#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/random.h"

static void assert_content(const struct buffer *buffer, const char *expected)
{
    assert_true(view_equals(buffer_view(buffer), view_of(expected)));
}

static void an_empty_buffer_holds_no_memory_until_the_first_byte(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 100);
    assert_int_equal(buffer_view(&buffer).size, 0);
    assert_int_equal(buffer_append(&buffer, VIEW("")), 0);
    assert_int_equal(buffer_append(&buffer, (struct view){0}), 0);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, VIEW("x")), 0);
    assert_non_null(buffer.data);
    buffer_finish(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer_append(&buffer, VIEW("again")), 0);
    assert_content(&buffer, "again");
    buffer_finish(&buffer);
}

static void the_limit_holds_to_the_byte_and_a_refusal_changes_nothing(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 10);
    assert_int_equal(buffer_append(&buffer, VIEW("12345678")), 0);
    assert_int_equal(buffer_append(&buffer, VIEW("abc")), -ENOBUFS);
    assert_null(buffer_reserve(&buffer, 3));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer_print(&buffer, "%s", "abc"), -ENOBUFS);
    assert_content(&buffer, "12345678");
    assert_int_equal(buffer_append(&buffer, VIEW("ab")), 0);
    assert_content(&buffer, "12345678ab");
    assert_int_equal(buffer_append(&buffer, VIEW("c")), -ENOBUFS);
    buffer_consume(&buffer, 9);
    assert_int_equal(buffer_append(&buffer, VIEW("cdefghijk")), 0);
    assert_content(&buffer, "bcdefghijk");
    buffer_finish(&buffer);
}

static void printed_text_may_fill_the_limit_exactly(void **state)
{
    struct buffer buffer;

    (void)state;
    buffer_init(&buffer, 512);
    assert_int_equal(buffer_print(&buffer, "%0512d", 7), 0);
    assert_int_equal(buffer_size(&buffer), 512);
    assert_int_equal(buffer.data[511], '7');
    assert_int_equal(buffer_print(&buffer, "x"), -ENOBUFS);
    assert_int_equal(buffer_print(&buffer, "%s", ""), 0);
    buffer_finish(&buffer);
}

static void reserved_bytes_count_once_committed(void **state)
{
    struct buffer buffer;
    char *place;

    (void)state;
    buffer_init(&buffer, 100);
    place = buffer_reserve(&buffer, 100);
    assert_non_null(place);
    assert_int_equal(buffer_size(&buffer), 0);
    memcpy(place, "abc", 3);
    buffer_commit(&buffer, 3);
    assert_content(&buffer, "abc");
    buffer_clear(&buffer);
    assert_int_equal(buffer_size(&buffer), 0);
    assert_non_null(buffer.data);
    buffer_finish(&buffer);
}

/* What goes in comes out in order, whatever the sizes, and never is more held than allowed. */
static void a_buffer_behaves_as_a_bounded_queue_of_bytes(void **state)
{
    enum { LIMIT = 3000, ROUNDS = 20000 };
    struct buffer buffer;
    uint64_t in = 0;
    uint64_t out = 0;

    (void)state;
    random_seed(1);
    buffer_init(&buffer, LIMIT);
    for (int round = 0; round < ROUNDS; round++) {
        char bytes[LIMIT + 10];
        size_t size = random_below(random_below(2) ? 60 : LIMIT + 10);
        size_t held = buffer_size(&buffer);
        size_t take;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)((in + i) * 31 >> 3);
        if (size > LIMIT - held) {
            assert_int_equal(buffer_append(&buffer, (struct view){bytes, size}), -ENOBUFS);
            assert_int_equal(buffer_size(&buffer), held);
        } else {
            assert_int_equal(buffer_append(&buffer, (struct view){bytes, size}), 0);
            in += size;
        }
        take = random_below(buffer_size(&buffer) + 1);
        for (size_t i = 0; i < take; i++)
            assert_int_equal(buffer_view(&buffer).data[i], (char)((out + i) * 31 >> 3));
        buffer_consume(&buffer, take);
        out += take;
        assert_int_equal(buffer_size(&buffer), in - out);
        assert_true(buffer.capacity <= 2 * LIMIT);
    }
    buffer_finish(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_holds_no_memory_until_the_first_byte),
        cmocka_unit_test(the_limit_holds_to_the_byte_and_a_refusal_changes_nothing),
        cmocka_unit_test(printed_text_may_fill_the_limit_exactly),
        cmocka_unit_test(reserved_bytes_count_once_committed),
        cmocka_unit_test(a_buffer_behaves_as_a_bounded_queue_of_bytes),
    };

    return cmocka_run_group_tests_name("base/buffer", tests, NULL, NULL);
}
