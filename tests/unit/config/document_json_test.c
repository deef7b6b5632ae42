#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"

static void expect_text(const struct document *document, const char *path, const char *text)
{
    const struct document_node *node = document_find(document->root, path);

    assert_non_null(node);
    assert_int_equal(node->kind, DOCUMENT_TEXT);
    assert_true(view_equals(node->text, view_of(text)));
}

static void values_become_the_texts_a_person_would_write(void **state)
{
    struct document document;

    (void)state;
    assert_int_equal(document_json_read(&document,
                                        VIEW("{\"a\":[1,-2,0.1,1.25,true,false,\"x y\"],"
                                             "\"b\":{\"c\":null},\"d\":20000}"),
                                        NULL),
                     0);
    expect_text(&document, "a[0]", "1");
    expect_text(&document, "a[1]", "-2");
    expect_text(&document, "a[2]", "0.1");
    expect_text(&document, "a[3]", "1.25");
    expect_text(&document, "a[4]", "true");
    expect_text(&document, "a[5]", "false");
    expect_text(&document, "a[6]", "x y");
    expect_text(&document, "d", "20000");
    assert_int_equal(document_find(document.root, "b.c")->kind, DOCUMENT_NOTHING);
    assert_int_equal(document_find(document.root, "a")->count, 7);
    assert_int_equal(document_find(document.root, "a")->line, 0);
    document_finish(&document);
}

static void syntax_errors_say_where(void **state)
{
    struct document document;
    struct error why;

    (void)state;
    assert_int_equal(document_json_read(&document, VIEW("{\"a\":1,\n\"a\":2}"), &why), -EINVAL);
    assert_non_null(strstr(why.text, "duplicate"));
    assert_int_equal(strncmp(why.text, "2:", 2), 0);
    assert_int_equal(document_json_read(&document, VIEW(""), &why), -EINVAL);
    assert_int_equal(document_json_read(&document, VIEW("{} {}"), &why), -EINVAL);
    assert_int_equal(document_json_read(&document, VIEW("{\"a\":\"\xff\"}"), &why), -EINVAL);
}

static void depth_is_bounded(void **state)
{
    struct document document;
    struct error why;

    (void)state;
    assert_int_equal(document_json_read(&document, VIEW("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), &why),
                     0);
    document_finish(&document);
    assert_int_equal(
        document_json_read(&document, VIEW("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), &why), -EINVAL);
    assert_string_equal(why.text, " the document is nested too deeply");
    assert_null(document.root);
}

static void nodes_and_bytes_are_bounded(void **state)
{
    size_t size = DOCUMENT_BYTES_MAX + 1;
    char *text = malloc(size);
    struct document document;
    struct error why;

    (void)state;
    for (size_t i = 1; i + 1 < 60000; i += 2)
        memcpy(text + i, "1,", 2);
    text[0] = '[';
    text[59998] = ']';
    assert_int_equal(document_json_read(&document, (struct view){text, 59999}, &why), -EINVAL);
    assert_non_null(strstr(why.text, "too many values"));
    memset(text, ' ', size);
    assert_int_equal(document_json_read(&document, (struct view){text, size}, &why), -EINVAL);
    assert_non_null(strstr(why.text, "longer than"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_the_texts_a_person_would_write),
        cmocka_unit_test(syntax_errors_say_where),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(nodes_and_bytes_are_bounded),
    };

    return cmocka_run_group_tests_name("config/document_json", tests, NULL, NULL);
}
