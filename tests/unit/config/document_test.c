#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"

static void paths_lead_through_maps_and_lists(void **state)
{
    struct document document;

    (void)state;
    assert_int_equal(
        document_yaml_read(&document, VIEW("s: [{n: a}, {n: b, m: {x: 1}}]\nt: 2\n"), NULL), 0);
    assert_true(view_equals(document_find(document.root, "s[1].n")->text, VIEW("b")));
    assert_true(view_equals(document_find(document.root, "s[1].m.x")->text, VIEW("1")));
    assert_ptr_equal(document_find(document.root, ""), document.root);
    assert_null(document_find(document.root, "s[2]"));
    assert_null(document_find(document.root, "s[0].m.x"));
    assert_null(document_find(document.root, "s.n"));
    assert_null(document_find(document.root, "t[0]"));
    assert_null(document_find(document.root, "t.x"));
    assert_null(document_find(document.root, "u"));
    assert_null(document_find(NULL, "u"));
    document_finish(&document);
}

static void of_repeated_keys_the_first_is_found(void **state)
{
    struct document document;

    (void)state;
    assert_int_equal(document_yaml_read(&document, VIEW("a: 1\nb: 2\na: 3\n"), NULL), 0);
    assert_true(view_equals(document_get(document.root, VIEW("a"))->text, VIEW("1")));
    assert_int_equal(document.root->count, 3);
    assert_null(document_get(document.root->first, VIEW("a")));
    document_finish(&document);
    document_finish(&document);
}

static void the_number_of_nodes_is_bounded(void **state)
{
    struct document document = {0};
    struct document_node like = {.kind = DOCUMENT_LIST, .text = {"", 0}, .key = {"", 0}};
    struct document_node *root = document_add(&document, NULL, &like);

    (void)state;
    for (unsigned i = 1; i < DOCUMENT_NODES_MAX; i++)
        assert_non_null(document_add(&document, root, &like));
    assert_null(document_add(&document, root, &like));
    assert_int_equal(root->count, DOCUMENT_NODES_MAX - 1);
    document_finish(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_through_maps_and_lists),
        cmocka_unit_test(of_repeated_keys_the_first_is_found),
        cmocka_unit_test(the_number_of_nodes_is_bounded),
    };

    return cmocka_run_group_tests_name("config/document", tests, NULL, NULL);
}
