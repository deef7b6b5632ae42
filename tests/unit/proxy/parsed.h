/* A request head as the parser gives it, and a table of a few services without replicas. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/h1_parse.h"
#include "proxy/table.h"

struct parsed {
    struct head head;
    struct field fields[HEAD_FIELDS_MAX];
};

static inline void parsed_read(struct parsed *parsed, const char *text)
{
    const struct h1_limits limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX};
    size_t scanned = 0;

    parsed->head.fields = parsed->fields;
    assert_int_equal(h1_parse_request(view_of(text), &limits, &scanned, &parsed->head).result,
                     H1_DONE);
}

/* Ends with table_unmap(). */
static inline const struct table *parsed_table(struct table_service_spec *services, unsigned count,
                                               const struct table_listener *listeners,
                                               unsigned listener_count,
                                               const struct table_settings *settings)
{
    const struct balance_options options = BALANCE_OPTIONS;
    struct table_spec spec = {.epoch = 1,
                              .settings = *settings,
                              .listeners = listeners,
                              .listener_count = listener_count,
                              .services = services,
                              .service_count = count};
    struct balance_image *image;
    const struct table *table;
    struct error why;
    int fd;

    assert_int_equal(balance_build(&options, NULL, 0, &image, &why), 0);
    for (unsigned i = 0; i < count; i++)
        services[i].image = image;
    assert_int_equal(table_build(&spec, &fd, &why), 0);
    assert_int_equal(table_map(fd, &table, &why), 0);
    close(fd);
    balance_destroy(image);
    return table;
}
