/* Loads a configuration from a text, and answers questions about what was said of it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/config.h"
#include "config/config_flags.h"
#include "config/config_print.h"

struct any_config {
    struct config config;
    struct config_notes notes;
    struct error why;
    int error;
};

static char *const any_config_home[] = {"HOME=/home/any", NULL};

/* `yaml` NULL: the embedded default; `environment` NULL: one with a HOME. */
static inline struct any_config *any_config_load(const char *yaml, char *const *environment,
                                                 const struct config_flags *flags)
{
    struct any_config *at = calloc(1, sizeof(*at));

    if (!environment)
        environment = any_config_home;
    if (yaml)
        at->error = config_load_text(&at->config, "any.yaml", view_of(yaml), false, flags,
                                     environment, &at->notes, &at->why);
    else
        at->error = config_load(&at->config, NULL, flags, environment, &at->notes, &at->why);
    return at;
}

static inline void any_config_free(struct any_config *at)
{
    if (!at)
        return;
    if (!at->error)
        config_finish(&at->config);
    free(at);
}

/* Fails with what was said where the text is refused or warned of. */
static inline struct any_config *any_config_fine(const char *yaml, char *const *environment)
{
    struct any_config *at = any_config_load(yaml, environment, NULL);

    for (unsigned i = 0; i < at->notes.count; i++)
        print_message("%s\n", at->notes.items[i].sentence.text);
    assert_int_equal(at->error, 0);
    assert_int_equal(at->notes.errors + at->notes.warnings, 0);
    return at;
}

/* The text has exactly one fault, and this is the sentence. */
static inline void any_config_expect_error(const char *yaml, char *const *environment,
                                           const char *sentence)
{
    struct any_config *at = any_config_load(yaml, environment, NULL);

    assert_true(at->error < 0);
    assert_string_equal(at->why.text, sentence);
    assert_int_equal(at->notes.errors, 1);
    any_config_free(at);
}

/* The text is taken, with this one warning. */
static inline void any_config_expect_warning(const char *yaml, char *const *environment,
                                             const char *sentence)
{
    struct any_config *at = any_config_load(yaml, environment, NULL);

    assert_int_equal(at->error, 0);
    assert_int_equal(at->notes.warnings, 1);
    assert_string_equal(at->notes.items[0].sentence.text, sentence);
    assert_false(at->notes.items[0].is_error);
    any_config_free(at);
}

/* What config_print() writes, zero-ended; the caller frees it. */
static inline char *any_config_print(const struct config *config)
{
    struct buffer out;
    char *text;

    buffer_init(&out, CONFIG_PRINT_BYTES_MAX);
    assert_int_equal(config_print(config, &out), 0);
    text = strndup(buffer_view(&out).data, buffer_size(&out));
    buffer_finish(&out);
    return text;
}

static inline void any_config_expect_texts(const struct config_texts *texts,
                                           const char *const *expected)
{
    unsigned count = 0;

    while (expected[count])
        count++;
    assert_int_equal(texts->count, count);
    for (unsigned i = 0; i < count; i++)
        assert_string_equal(texts->items[i], expected[i]);
}

#define ANY_TEXTS(...)       ((const char *const[]){__VA_ARGS__, NULL})
#define ANY_ENVIRONMENT(...) ((char *const[]){"HOME=/home/any", __VA_ARGS__, NULL})
