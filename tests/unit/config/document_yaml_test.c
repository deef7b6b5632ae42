#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"

static void expect_refused(const char *text, const char *sentence)
{
    struct document document;
    struct error why;

    assert_int_equal(document_yaml_read(&document, view_of(text), &why), -EINVAL);
    assert_string_equal(why.text, sentence);
    assert_null(document.root);
}

static void every_node_knows_where_it_stood(void **state)
{
    const struct document_node *node;
    struct document document;

    (void)state;
    assert_int_equal(
        document_yaml_read(&document, VIEW("a:\n  - one\n  - { b:  two }\nc: 'three'\n"), NULL), 0);
    node = document_find(document.root, "a[0]");
    assert_true(view_equals(node->text, VIEW("one")));
    assert_int_equal(node->line, 2);
    assert_int_equal(node->column, 5);
    node = document_find(document.root, "a[1].b");
    assert_true(view_equals(node->text, VIEW("two")));
    assert_int_equal(node->line, 3);
    assert_int_equal(node->column, 11);
    assert_int_equal(node->key_line, 3);
    assert_int_equal(node->key_column, 7);
    node = document_find(document.root, "c");
    assert_int_equal(node->line, 4);
    assert_int_equal(node->column, 4);
    document_finish(&document);
}

static void plain_nothing_is_nothing_and_quoted_is_text(void **state)
{
    static const char *const nothings[] = {"a:\n", "a: ~\n", "a: null\n"};
    struct document document;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(nothings); i++) {
        assert_int_equal(document_yaml_read(&document, view_of(nothings[i]), NULL), 0);
        assert_int_equal(document_find(document.root, "a")->kind, DOCUMENT_NOTHING);
        document_finish(&document);
    }
    assert_int_equal(document_yaml_read(&document, VIEW("a: ''\nb: 'null'\n"), NULL), 0);
    assert_int_equal(document_find(document.root, "a")->kind, DOCUMENT_TEXT);
    assert_int_equal(document_find(document.root, "b")->kind, DOCUMENT_TEXT);
    document_finish(&document);
}

static void an_empty_text_has_no_root(void **state)
{
    struct document document;

    (void)state;
    assert_int_equal(document_yaml_read(&document, VIEW(""), NULL), 0);
    assert_null(document.root);
    document_finish(&document);
}

static void what_makes_yaml_hard_is_refused(void **state)
{
    (void)state;
    expect_refused("a: &x 1\n", "1:4: anchors are not supported");
    expect_refused("a: &x [1]\n", "1:4: anchors are not supported");
    expect_refused("a: &x {b: 1}\n", "1:4: anchors are not supported");
    expect_refused("a: *x\n", "1:4: aliases are not supported");
    expect_refused("a: !!int 1\n", "1:4: tags are not supported");
    expect_refused("a: !x [1]\n", "1:4: tags are not supported");
    expect_refused("? [a]\n: 1\n", "1:3: expected a single value as the key");
    expect_refused("a: 1\n---\nb: 1\n", "2:1: expected one document, here begins another");
}

static void syntax_errors_say_where(void **state)
{
    struct document document;
    struct error why;

    (void)state;
    assert_int_equal(document_yaml_read(&document, VIEW("a: 1\nb: [1, 2\n"), &why), -EINVAL);
    assert_int_equal(strncmp(why.text, "3:1: ", 5), 0);
    assert_int_equal(document_yaml_read(&document, VIEW("a: \xff\n"), &why), -EINVAL);
    assert_int_equal(document_yaml_read(&document, VIEW("a: \x01\n"), &why), -EINVAL);
    assert_int_equal(document_yaml_read(&document, VIEW("\tb: 1"), &why), -EINVAL);
}

static void depth_is_bounded(void **state)
{
    char text[DOCUMENT_DEPTH_MAX + 2];
    struct document document;
    struct error why;

    (void)state;
    memset(text, '[', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(document_yaml_read(&document, view_of(text), &why), -EINVAL);
    assert_string_equal(why.text, "1:17: the document is nested too deeply");
}

static void nodes_and_bytes_are_bounded(void **state)
{
    size_t size = DOCUMENT_BYTES_MAX + 1;
    char *text = malloc(size);
    struct document document;
    struct error why;

    (void)state;
    for (size_t i = 1; i < size; i += 2)
        memcpy(text + i, "a,", i + 1 < size ? 2 : 1);
    text[0] = '[';
    assert_int_equal(document_yaml_read(&document, (struct view){text, 60000}, &why), -EINVAL);
    assert_non_null(strstr(why.text, "the document has too many values"));
    assert_int_equal(document_yaml_read(&document, (struct view){text, size}, &why), -EINVAL);
    assert_string_equal(why.text, "1:1: the document is longer than 1048576 bytes");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_node_knows_where_it_stood),
        cmocka_unit_test(plain_nothing_is_nothing_and_quoted_is_text),
        cmocka_unit_test(an_empty_text_has_no_root),
        cmocka_unit_test(what_makes_yaml_hard_is_refused),
        cmocka_unit_test(syntax_errors_say_where),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(nodes_and_bytes_are_bounded),
    };

    return cmocka_run_group_tests_name("config/document_yaml", tests, NULL, NULL);
}
