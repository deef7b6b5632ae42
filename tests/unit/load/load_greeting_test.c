#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/attribute.h"
#include "load/load_greeting.h"

static void check_body(const char *body, const char *expected)
{
    struct head head = {0};
    size_t size = strlen(body);

    /* Cut at every byte. */
    for (size_t cut = 0; cut <= size; cut++) {
        struct load_greeting greeting;

        load_greeting_begin(&greeting, &head);
        load_greeting_body(&greeting, (struct view){body, cut});
        load_greeting_body(&greeting, (struct view){body + cut, size - cut});
        assert_true(view_equals(load_greeting_name(&greeting), view_of(expected)));
    }
}

static void a_number_in_the_body_is_the_replica_of_that_number(void **state)
{
    (void)state;
    check_body("{\"message\":\"Hello from Server: 1\",\"status\":\"successful\"}", "Server 1");
    check_body("Hello from Server: 4711\"", "Server 4711");
}

static void a_name_in_the_body_is_itself(void **state)
{
    (void)state;
    check_body("{\"message\":\"Hello from Server: S5\"}", "S5");
}

static void another_body_names_nobody(void **state)
{
    (void)state;
    check_body("", "");
    check_body("OK", "");
    check_body("Hello from Server", "");
    check_body("Hello from Server: \"", "");
}

static void a_long_body_is_not_kept(void **state)
{
    struct load_greeting greeting;
    struct head head = {0};

    (void)state;
    load_greeting_begin(&greeting, &head);
    for (int i = 0; i < 1000; i++)
        load_greeting_body(&greeting, VIEW("some bytes of a long body "));
    assert_int_equal(load_greeting_name(&greeting).size, 0);
}

static void the_header_is_believed_before_the_body(void **state)
{
    struct field field = {VIEW("X-Roost-Replica"), VIEW("web-1"), FIELD_X_ROOST_REPLICA, false};
    struct head head = {.fields = &field, .field_count = 1};
    struct load_greeting greeting;

    (void)state;
    load_greeting_begin(&greeting, &head);
    load_greeting_body(&greeting, VIEW("Hello from Server: 1\""));
    assert_true(view_equals(load_greeting_name(&greeting), VIEW("web-1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_in_the_body_is_the_replica_of_that_number),
        cmocka_unit_test(a_name_in_the_body_is_itself),
        cmocka_unit_test(another_body_names_nobody),
        cmocka_unit_test(a_long_body_is_not_kept),
        cmocka_unit_test(the_header_is_believed_before_the_body),
    };

    return cmocka_run_group_tests_name("load/load_greeting", tests, NULL, NULL);
}
