#include "balance/least_loaded.h"

#include <string.h>

int least_loaded_check(struct balance_options *options, struct error *why)
{
    (void)why;
    options->slots = 0;
    options->cap = 0;
    memset(options->key, 0, sizeof(options->key));
    options->virtual_servers = 0;
    options->request_hash = NULL;
    options->server_hash = NULL;
    return 0;
}

int least_loaded_build(const struct scheme_input *input, struct balance_image **image,
                       struct error *why)
{
    const struct roster *roster = input->roster;
    int answer = image_create(input, roster->active * sizeof(uint16_t), image, why);

    if (answer == 0)
        roster_sort(roster, input->members, image_table(*image));
    return answer;
}

int least_loaded_compare(const struct balance_image *image, const struct balance_load *load,
                         unsigned a, unsigned b)
{
    const struct balance_entry *entries = image_entries(image);
    const uint32_t *in_flight = load ? load->in_flight : NULL;
    uint64_t left = ((in_flight ? in_flight[a] : 0) + UINT64_C(1)) * entries[b].weight;
    uint64_t right = ((in_flight ? in_flight[b] : 0) + UINT64_C(1)) * entries[a].weight;

    return left < right ? -1 : left > right;
}
