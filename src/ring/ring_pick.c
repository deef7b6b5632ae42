#include "ring/ring_pick.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "base/word.h"

#define DRAWN_KEYS  10
#define DRAWN_FIRST 100000
#define DRAWN_RANGE 900000

struct picking {
    const struct ring_options *options;
    const struct balance_image *image;
    struct balance_load load;
};

/* The text of a key as JSON; bytes that are none are replaced. */
static void print_json_key(struct view key)
{
    char text[BALANCE_NAME_BYTES_MAX + 1];

    if (view_to_text(view_first(key, BALANCE_NAME_BYTES_MAX), text, sizeof(text)) == 0)
        ring_options_print_json(text);
}

static void print_json(const struct picking *picking, struct view key, uint64_t hash,
                       unsigned owner, int virtual_server)
{
    printf("{\"key\":");
    print_json_key(key);
    printf(",\"name\":");
    if (owner == BALANCE_NONE)
        printf("null");
    else
        ring_options_print_json(balance_name(picking->image, owner));
    if (balance_slots(picking->image))
        printf(",\"slot\":%u", balance_slot(picking->image, hash));
    if (virtual_server >= 0)
        printf(",\"virtual\":%d", virtual_server);
    printf("}\n");
}

static void print_pick(struct picking *picking, struct view key)
{
    const struct balance_image *image = picking->image;
    uint64_t hash = balance_hash(image, key, &picking->load);
    unsigned owner = balance_owner(image, hash, 0, &picking->load);
    int virtual_server = balance_virtual(image, hash);

    if (picking->options->is_json) {
        print_json(picking, key, hash, owner, virtual_server);
        return;
    }
    printf("%.*s\t%s", VIEW_ARGUMENTS(key),
           owner == BALANCE_NONE ? "-" : balance_name(image, owner));
    if (picking->options->is_verbose && balance_slots(image))
        printf("\tslot %u", balance_slot(image, hash));
    if (picking->options->is_verbose && virtual_server >= 0)
        printf("\tS%u_%d", picking->options->members[owner].id, virtual_server);
    putchar('\n');
}

static void pick_numbers(struct picking *picking, uint64_t first, uint64_t last)
{
    for (uint64_t number = first;; number++) {
        char text[24];
        int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);

        print_pick(picking, (struct view){text, (size_t)size});
        if (number == last)
            return;
    }
}

static void pick_lines(struct picking *picking)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    while ((size = getline(&line, &capacity, stdin)) >= 0) {
        struct view key = {line, (size_t)size};

        if (key.size && key.data[key.size - 1] == '\n')
            key.size--;
        print_pick(picking, key);
    }
    free(line);
}

static void pick_drawn(struct picking *picking)
{
    for (unsigned i = 0; i < DRAWN_KEYS; i++) {
        uint64_t key = DRAWN_FIRST + random_below(DRAWN_RANGE);

        pick_numbers(picking, key, key);
    }
}

int ring_pick(const struct ring_options *options)
{
    struct picking picking = {.options = options};
    struct balance_image *image = NULL;
    struct error why;

    if (balance_build(&options->balance, options->members, options->count, &image, &why) < 0)
        return ring_options_fail(&why);
    picking.image = image;
    for (int i = 0; i < options->argument_count; i++)
        print_pick(&picking, view_of(options->arguments[i]));
    if (options->has_keys)
        pick_numbers(&picking, options->first_key, options->last_key);
    else if (options->argument_count == 0 && isatty(STDIN_FILENO))
        pick_drawn(&picking);
    else if (options->argument_count == 0)
        pick_lines(&picking);
    balance_destroy(image);
    return WORD_DONE;
}
