#include "balance/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/digest.h"

#define IMAGE_MAGIC UINT64_C(0x31676d69626c6162) /* "balbimg1" */

static size_t align(size_t offset)
{
    return (offset + BALANCE_ALIGNMENT - 1) & ~(size_t)(BALANCE_ALIGNMENT - 1);
}

/* Where everything stands. */
static void lay_out(struct balance_image *head, const struct roster *roster, size_t table_bytes)
{
    size_t entries = align(sizeof(*head));
    size_t names = entries + roster->count * sizeof(struct balance_entry);
    size_t table = align(names + roster->name_bytes);

    head->entries = (uint32_t)entries;
    head->names = (uint32_t)names;
    head->table = (uint32_t)table;
    head->table_bytes = (uint32_t)table_bytes;
    head->bytes = align(table + table_bytes);
}

static void write_members(struct balance_image *image, const struct scheme_input *input)
{
    struct balance_entry *entries = (struct balance_entry *)((char *)image + image->entries);
    uint32_t name = image->names;

    for (uint32_t i = 0; i < image->count; i++) {
        entries[i] = input->roster->entries[i];
        entries[i].name = name;
        memcpy((char *)image + name, input->members[i].name, entries[i].name_bytes + 1);
        name += entries[i].name_bytes + 1;
    }
}

int image_create(const struct scheme_input *input, size_t table_bytes, struct balance_image **image,
                 struct error *why)
{
    const struct balance_options *options = &input->options;
    struct balance_image head = {
        .magic = IMAGE_MAGIC,
        .scheme = scheme_number(scheme_find(options->scheme)),
        .count = input->roster->count,
        .active = input->roster->active,
        .weights = input->roster->weights,
        .slots = options->slots,
        .hash_version = options->hash_version,
        .virtual_servers = options->virtual_servers,
        .digest = digest_placement(input->roster->sum, options),
    };

    lay_out(&head, input->roster, table_bytes);
    if (table_bytes > UINT32_MAX || head.bytes > UINT32_MAX)
        return error_set(why, -E2BIG, "the table would take more than 4 GiB");
    memcpy(head.secret, input->secret, sizeof(head.secret));
    if (!*image || (*image)->bytes < head.bytes) {
        free(*image);
        *image = aligned_alloc(BALANCE_ALIGNMENT, head.bytes);
        if (!*image)
            return error_set(why, -ENOMEM, "no memory for a table of %llu bytes",
                             (unsigned long long)head.bytes);
        memset(*image, 0, head.bytes);
    }
    memset(*image, 0, head.table);
    memcpy(*image, &head, sizeof(head));
    write_members(*image, input);
    return 0;
}

const struct balance_image *image_at(const void *bytes, size_t size)
{
    const struct balance_image *image = bytes;

    if ((uintptr_t)bytes % BALANCE_ALIGNMENT || size < sizeof(*image))
        return NULL;
    if (image->magic != IMAGE_MAGIC || image->bytes > size || !scheme_at(image->scheme))
        return NULL;
    return image;
}
