#include "any_config.h"

#include <errno.h>

#include "base/random.h"
#include "config/config_field.h"
#include "config/config_loading.h"

/* Prints, reads what was printed, prints that: the two are one. Answers the text; the caller frees
 * it. */
static char *print_twice(const struct config *config)
{
    char *once = any_config_print(config);
    struct any_config *again = any_config_fine(once, NULL);
    char *twice = any_config_print(&again->config);

    assert_string_equal(once, twice);
    free(twice);
    any_config_free(again);
    return once;
}

static void the_embedded_default_is_printed_as_a_file_of_the_same_meaning(void **state)
{
    struct any_config *at = any_config_fine(NULL, NULL);
    char *text = print_twice(&at->config);

    (void)state;
    assert_non_null(strstr(text, "\ncompat: assignment\n"));
    assert_non_null(strstr(text, "      names: [\"Server 1\", \"Server 2\", \"Server 3\"]\n"));
    assert_non_null(strstr(text, "  - address: \"127.0.0.1:5000\"\n    services: []\n"));
    assert_null(strstr(text, "image"));
    assert_null(strstr(text, "virtual"));
    free(text);
    any_config_free(at);
}

static void the_token_is_not_printed(void **state)
{
    struct any_config *at = any_config_fine(NULL, ANY_ENVIRONMENT("ROOST_CONTROL_TOKEN=s3cret"));
    char *text = any_config_print(&at->config);

    (void)state;
    assert_string_equal(at->config.control.token, "s3cret");
    assert_null(strstr(text, "s3cret"));
    free(text);
    any_config_free(at);
}

static void what_yaml_would_misread_is_quoted(void **state)
{
    static const char *const hard[] = {
        "null", "true",   "~",     "- a",         "a: b",
        "a #b", "'",      "\\\"",  "{x}",         "[x]",
        "&a",   "*a",     "!t",    "|",           "%x",
        "@x",   "a\nb\n", " lead", "trail ",      "\t",
        "",     "0x10",   "1e3",   "caf\xc3\xa9", "\xf0\x9f\x98\x80"};
    char *items[ARRAY_SIZE(hard)];
    struct any_config *at = any_config_fine(NULL, NULL);
    struct any_config *again;
    char *text;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(hard); i++)
        items[i] = (char *)hard[i];
    at->config.services[0].replicas.command = (struct config_texts){items, ARRAY_SIZE(hard)};
    text = any_config_print(&at->config);
    again = any_config_fine(text, NULL);
    assert_int_equal(again->config.services[0].replicas.command.count, ARRAY_SIZE(hard));
    for (size_t i = 0; i < ARRAY_SIZE(hard); i++)
        assert_string_equal(again->config.services[0].replicas.command.items[i], hard[i]);
    free(text);
    any_config_free(again);
    any_config_free(at);
}

static void every_driver_and_scheme_prints_what_matters_to_it(void **state)
{
    static const char *const drivers[] = {"process", "docker",
                                          "static, addresses: {a: '127.0.0.1:1', b: '[::1]:2'}"};
    static const char *const schemes[] = {"slot-hrw",    "ketama",     "maglev", "classic",
                                          "round-robin", "least-conn", "p2c"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(schemes); j++) {
            char yaml[300];
            struct any_config *at;

            snprintf(yaml, sizeof(yaml),
                     "services: [{replicas: {driver: %s}, balance: {scheme: %s}}]", drivers[i],
                     schemes[j]);
            at = any_config_fine(yaml, NULL);
            free(print_twice(&at->config));
            any_config_free(at);
        }
    }
}

/* Any number the field may hold. */
static void randomize(const struct config_field *field, void *place)
{
    uint64_t number = field->least + random_below(field->most - field->least + 1);

    if (field->special && random_below(4) == 0)
        number = field->special_value;
    if (field->type == CONFIG_SIZE)
        *(uint64_t *)place = number;
    else
        *(uint32_t *)place = (uint32_t)number;
}

static bool is_free_number(const struct config_field *field)
{
    static const char *const tied[] = {"services[].replicas.count",  "services[].balance.slots",
                                       "services[].balance.virtual", "limits.replicas",
                                       "services[].balance.bound",   "services[].outlier.base",
                                       "services[].outlier.most"};

    if (field->type < CONFIG_INTEGER || field->type > CONFIG_PERCENT)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(tied); i++) {
        if (strcmp(field->path, tied[i]) == 0)
            return false;
    }
    return true;
}

static void any_configuration_is_read_again_as_it_was_printed(void **state)
{
    (void)state;
    random_seed(7);
    for (int round = 0; round < 300; round++) {
        struct any_config *at = any_config_fine("services: [{name: a, match: {host: x.org}},"
                                                "{name: b, replicas: {driver: docker}}]",
                                                NULL);
        struct config_loading loading = {.config = &at->config};

        for (size_t i = 0; i < config_field_count; i++) {
            unsigned index = (unsigned)random_below(2);

            if (is_free_number(&config_fields[i]))
                randomize(&config_fields[i],
                          config_loading_place(&loading, &config_fields[i], index));
        }
        free(print_twice(&at->config));
        any_config_free(at);
    }
}

static void a_full_buffer_is_said(void **state)
{
    struct any_config *at = any_config_fine(NULL, NULL);
    struct buffer out;

    (void)state;
    buffer_init(&out, 50);
    assert_int_equal(config_print(&at->config, &out), -ENOBUFS);
    buffer_finish(&out);
    any_config_free(at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_embedded_default_is_printed_as_a_file_of_the_same_meaning),
        cmocka_unit_test(the_token_is_not_printed),
        cmocka_unit_test(what_yaml_would_misread_is_quoted),
        cmocka_unit_test(every_driver_and_scheme_prints_what_matters_to_it),
        cmocka_unit_test(any_configuration_is_read_again_as_it_was_printed),
        cmocka_unit_test(a_full_buffer_is_said),
    };

    return cmocka_run_group_tests_name("config/config_print", tests, NULL, NULL);
}
