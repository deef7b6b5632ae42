#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/driver.h"

static void the_server_id_is_what_follows_server(void **state)
{
    (void)state;
    assert_string_equal("1", driver_server_id("Server 1"));
    assert_string_equal("1 b", driver_server_id("Server 1 b"));
}

static void any_other_name_is_its_own_id(void **state)
{
    (void)state;
    assert_string_equal("S5", driver_server_id("S5"));
    assert_string_equal("Server", driver_server_id("Server"));
    assert_string_equal("Server ", driver_server_id("Server "));
    assert_string_equal("server 1", driver_server_id("server 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_id_is_what_follows_server),
        cmocka_unit_test(any_other_name_is_its_own_id),
    };

    return cmocka_run_group_tests_name("replica/driver", tests, NULL, NULL);
}
