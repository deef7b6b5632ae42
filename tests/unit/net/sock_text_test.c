#include "any_sock.h"

static void text_has_a_limit_and_may_be_got_again_and_again(void **state)
{
    struct end end;
    uint64_t at = 0;
    size_t size = SOCK_TEXT_BYTES / 3 + 1;

    (void)state;
    assert_null(sock_text(&group, SOCK_TEXT_BYTES + 1));
    assert_non_null(sock_text(&group, SOCK_TEXT_BYTES));
    loop_turn(&loop, 0);
    open_pair(&end);
    for (size_t i = 0; i < 5; i++) {
        char *text = sock_text(&group, size);

        memcpy(text, stream(5 * size).data + i * size, size);
        sock_write(&end.sock, (struct view){text, size});
    }
    while (at < 5 * size) {
        drain_other(end.other, &at, MEBIBYTE);
        loop_turn(&loop, 0);
    }
    close_end(&end);
}

static void what_is_not_needed_of_a_text_is_the_next_ones(void **state)
{
    char *first;
    char *second;

    (void)state;
    first = sock_text(&group, 100);
    sock_text_trim(&group, 60);
    second = sock_text(&group, 100);
    assert_ptr_equal(second, first + 40);
    loop_turn(&loop, 0);
    assert_ptr_equal(sock_text(&group, 1), first);
}

static void texts_that_were_reserved_together_stay_together(void **state)
{
    const size_t half = SOCK_TEXT_BYTES / 2;
    char *first;

    (void)state;
    assert_non_null(sock_text(&group, 1));
    sock_text_reserve(&group, 2 * half);
    first = sock_text(&group, half);
    assert_ptr_equal(sock_text(&group, half), first + half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_has_a_limit_and_may_be_got_again_and_again),
        TEST(what_is_not_needed_of_a_text_is_the_next_ones),
        TEST(texts_that_were_reserved_together_stay_together),
    };

    return cmocka_run_group_tests_name("net/sock_text", tests, NULL, NULL);
}
