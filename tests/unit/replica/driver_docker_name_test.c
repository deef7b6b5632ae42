/* What containers are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "replica/driver_docker_name.h"

static const char *name_of(const char *node, const char *replica, bool with_hash)
{
    static char name[DRIVER_DOCKER_NAME_BYTES];

    driver_docker_name_make(node, "web", replica, with_hash, name);
    return name;
}

static void a_name_that_docker_allows_stays(void **state)
{
    (void)state;
    assert_string_equal("S5", name_of("n", "S5", false));
    assert_string_equal("a.b_c-d", name_of("n", "a.b_c-d", false));
}

static void spaces_become_hyphens(void **state)
{
    (void)state;
    assert_string_equal("Server-1", name_of("n", "Server 1", false));
    assert_string_equal("a--b", name_of("n", "a  b", false));
}

static void one_that_is_too_short_gets_a_hash(void **state)
{
    const char *name = name_of("n", "A", false);

    (void)state;
    assert_int_equal(8, strlen(name));
    assert_memory_equal("A-", name, 2);
    assert_int_equal(6, strspn(name + 2, "0123456789abcdef"));
}

static void the_hash_tells_replicas_and_nodes_apart_that_share_a_name(void **state)
{
    char one[DRIVER_DOCKER_NAME_BYTES];
    char two[DRIVER_DOCKER_NAME_BYTES];

    (void)state;
    driver_docker_name_make("n", "web", "Server 1", true, one);
    assert_memory_equal("Server-1-", one, 9);
    driver_docker_name_make("n", "web", "Server-1", true, two);
    assert_string_not_equal(one, two);
    driver_docker_name_make("m", "web", "Server 1", true, two);
    assert_string_not_equal(one, two);
    driver_docker_name_make("n", "api", "Server 1", true, two);
    assert_string_not_equal(one, two);
    driver_docker_name_make("n", "web", "Server 1", true, two);
    assert_string_equal(one, two);
}

static void the_longest_name_has_room_for_its_hash(void **state)
{
    char longest[DRIVER_NAME_BYTES];

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(DRIVER_NAME_BYTES - 1 + 7, strlen(name_of("n", longest, true)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_docker_allows_stays),
        cmocka_unit_test(spaces_become_hyphens),
        cmocka_unit_test(one_that_is_too_short_gets_a_hash),
        cmocka_unit_test(the_hash_tells_replicas_and_nodes_apart_that_share_a_name),
        cmocka_unit_test(the_longest_name_has_room_for_its_hash),
    };

    return cmocka_run_group_tests_name("replica/driver_docker_name", tests, NULL, NULL);
}
