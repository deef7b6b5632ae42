#include "balance/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/digest.h"
#include "base/memory.h"

static int check_member(const struct balance_member *member, size_t index, struct error *why)
{
    size_t size = member->name ? strnlen(member->name, BALANCE_NAME_BYTES_MAX + 1) : 0;

    if (size == 0)
        return error_set(why, -EINVAL, "member %zu has no name", index);
    if (size > BALANCE_NAME_BYTES_MAX)
        return error_set(why, -E2BIG, "the name of member %zu is longer than %d bytes", index,
                         BALANCE_NAME_BYTES_MAX);
    if (member->weight > BALANCE_WEIGHT_MAX)
        return error_set(why, -EINVAL, "the weight of %s is %u: expected 0 to %d", member->name,
                         member->weight, BALANCE_WEIGHT_MAX);
    return 0;
}

unsigned roster_find(const struct roster *roster, uint64_t low)
{
    for (uint32_t at = (uint32_t)low & roster->places_mask;; at = (at + 1) & roster->places_mask) {
        uint32_t place = roster->places[at];

        if (place == 0)
            return BALANCE_NONE;
        if (roster->entries[place - 1].low == low)
            return place - 1;
    }
}

static void remember(struct roster *roster, uint32_t index)
{
    uint32_t at = (uint32_t)roster->entries[index].low & roster->places_mask;

    while (roster->places[at])
        at = (at + 1) & roster->places_mask;
    roster->places[at] = index + 1;
}

static int take_member(struct roster *roster, const uint8_t *secret,
                       const struct balance_member *members, uint32_t index, bool with_ids,
                       struct error *why)
{
    const struct balance_member *member = &members[index];
    struct balance_entry *entry = &roster->entries[index];
    unsigned twin;

    entry->name_bytes = (uint32_t)strlen(member->name);
    entry->weight = with_ids && member->weight ? 1 : member->weight;
    entry->id = with_ids ? member->id : 0;
    entry->inverse = entry->weight ? UINT64_MAX / entry->weight : 0;
    digest_name(secret, member->name, entry->name_bytes, &entry->low, &entry->high);
    twin = roster_find(roster, entry->low);
    if (twin != BALANCE_NONE && strcmp(members[twin].name, member->name) == 0)
        return error_set(why, -EEXIST, "%s is listed twice", member->name);
    if (twin != BALANCE_NONE)
        return error_set(why, -EEXIST, "%s and %s have the same hash: one needs another name",
                         member->name, members[twin].name);
    remember(roster, index);
    roster->name_bytes += entry->name_bytes + 1;
    if (entry->weight == 0)
        return 0;
    roster->active++;
    roster->weights += entry->weight;
    digest_add(&roster->sum, digest_member(member->name, entry));
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static int check_ids(const struct roster *roster, struct error *why)
{
    uint32_t *ids = memory_allocate((roster->count + 1) * sizeof(*ids));
    int answer = 0;

    for (uint32_t i = 0; i < roster->count; i++)
        ids[i] = roster->entries[i].id;
    qsort(ids, roster->count, sizeof(*ids), compare_ids);
    for (uint32_t i = 1; i < roster->count && answer == 0; i++) {
        if (ids[i] == ids[i - 1])
            answer = error_set(why, -EEXIST, "two members have the id %u", ids[i]);
    }
    free(ids);
    return answer;
}

int roster_init(struct roster *roster, const uint8_t secret[BALANCE_SECRET_BYTES],
                const struct balance_member *members, size_t count, bool with_ids,
                struct error *why)
{
    uint32_t places = 4;
    int answer = 0;

    *roster = (struct roster){0};
    if (count > BALANCE_MEMBERS_MAX)
        return error_set(why, -E2BIG, "%zu members: at most %d are possible", count,
                         BALANCE_MEMBERS_MAX);
    while (places < 2 * count)
        places *= 2;
    roster->entries = memory_allocate((count + 1) * sizeof(*roster->entries));
    roster->places = memory_allocate(places * sizeof(*roster->places));
    roster->places_mask = places - 1;
    roster->count = (uint32_t)count;
    for (uint32_t i = 0; i < count && answer == 0; i++) {
        answer = check_member(&members[i], i, why);
        if (answer == 0)
            answer = take_member(roster, secret, members, i, with_ids, why);
    }
    if (answer == 0 && with_ids)
        answer = check_ids(roster, why);
    if (answer < 0)
        roster_finish(roster);
    return answer;
}

void roster_finish(struct roster *roster)
{
    free(roster->entries);
    free(roster->places);
    *roster = (struct roster){0};
}

static int compare_names(const void *a, const void *b, void *context)
{
    const struct balance_member *members = context;

    return strcmp(members[*(const uint16_t *)a].name, members[*(const uint16_t *)b].name);
}

void roster_sort(const struct roster *roster, const struct balance_member *members, uint16_t *order)
{
    uint32_t active = 0;

    for (uint32_t i = 0; i < roster->count; i++) {
        if (roster->entries[i].weight)
            order[active++] = (uint16_t)i;
    }
    qsort_r(order, active, sizeof(*order), compare_names, (void *)members);
}
