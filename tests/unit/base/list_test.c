#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list list;
};

/* The values in order as one decimal number, read forwards; backwards it must be the same. */
static long digits(const struct list *head)
{
    long forwards = 0;
    long backwards = 0;
    long power = 1;

    for (const struct list *at = head->next; at != head; at = at->next)
        forwards = forwards * 10 + CONTAINER_OF(at, struct item, list)->value;
    for (const struct list *at = head->previous; at != head; at = at->previous) {
        backwards += power * CONTAINER_OF(at, struct item, list)->value;
        power *= 10;
    }
    assert_int_equal(forwards, backwards);
    return forwards;
}

static void elements_stand_in_the_order_they_were_put(void **state)
{
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(LIST_FIRST(&head, struct item, list));
    assert_null(LIST_LAST(&head, struct item, list));
    list_append(&head, &items[0].list);
    list_append(&head, &items[1].list);
    list_prepend(&head, &items[2].list);
    assert_int_equal(digits(&head), 312);
    assert_ptr_equal(LIST_FIRST(&head, struct item, list), &items[2]);
    assert_ptr_equal(LIST_LAST(&head, struct item, list), &items[1]);
}

static void removing_twice_is_harmless(void **state)
{
    struct item items[2] = {{.value = 1}, {.value = 2}};
    struct list head;

    (void)state;
    list_init(&head);
    list_append(&head, &items[0].list);
    list_append(&head, &items[1].list);
    list_remove(&items[0].list);
    list_remove(&items[0].list);
    assert_true(list_is_empty(&items[0].list));
    assert_int_equal(digits(&head), 2);
    list_remove(&items[1].list);
    assert_true(list_is_empty(&head));
}

static void taking_all_keeps_both_orders(void **state)
{
    struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list head;
    struct list other;

    (void)state;
    list_init(&head);
    list_init(&other);
    list_take_all(&head, &other);
    assert_true(list_is_empty(&head));
    list_append(&other, &items[0].list);
    list_append(&other, &items[1].list);
    list_take_all(&head, &other);
    assert_true(list_is_empty(&other));
    assert_int_equal(digits(&head), 12);
    list_append(&other, &items[2].list);
    list_append(&other, &items[3].list);
    list_take_all(&head, &other);
    assert_int_equal(digits(&head), 1234);
}

static void the_current_element_may_go_while_walking(void **state)
{
    struct item items[4] = {{.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list head;

    (void)state;
    list_init(&head);
    for (int i = 0; i < 4; i++)
        list_append(&head, &items[i].list);
    LIST_FOR_EACH (at, &head) {
        if (CONTAINER_OF(at, struct item, list)->value % 2 == 0)
            list_remove(at);
    }
    assert_int_equal(digits(&head), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_stand_in_the_order_they_were_put),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(taking_all_keeps_both_orders),
        cmocka_unit_test(the_current_element_may_go_while_walking),
    };

    return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
