#include "ring/ring_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance/balance_plan.h"
#include "base/word.h"
#include "ring/ring_members.h"

static double percent_of(uint64_t part, const struct balance_plan *plan)
{
    return plan->units ? 100.0 * (double)part / (double)plan->units : 0;
}

static const char *name_of(const struct balance_plan *plan, unsigned share)
{
    return share == BALANCE_NONE ? NULL : plan->shares[share].name;
}

static void print_json_name(const char *name)
{
    if (name)
        ring_options_print_json(name);
    else
        printf("null");
}

static void print_json(const struct balance_plan *plan)
{
    printf("{\"moved\":%llu,\"minimum\":%llu,\"excess\":%llu,\"slots\":%llu,\"sampled\":%s,"
           "\"shares\":[",
           (unsigned long long)plan->moved, (unsigned long long)plan->minimum,
           (unsigned long long)plan->excess, (unsigned long long)plan->units,
           plan->is_sampled ? "true" : "false");
    for (size_t i = 0; i < plan->share_count; i++) {
        printf("%s{\"name\":", i ? "," : "");
        ring_options_print_json(plan->shares[i].name);
        printf(",\"before\":%llu,\"after\":%llu}", (unsigned long long)plan->shares[i].before,
               (unsigned long long)plan->shares[i].after);
    }
    printf("],\"moves\":[");
    for (size_t i = 0; i < plan->move_count; i++) {
        printf("%s{\"from\":", i ? "," : "");
        print_json_name(name_of(plan, plan->moves[i].from));
        printf(",\"to\":");
        print_json_name(name_of(plan, plan->moves[i].to));
        printf(",\"slots\":%llu}", (unsigned long long)plan->moves[i].units);
    }
    printf("]}\n");
}

static void print_table(const struct balance_plan *plan, bool is_verbose)
{
    printf("%-24s %9s %9s\n", "replica", "before", "after");
    for (size_t i = 0; i < plan->share_count; i++)
        printf("%-24s %8.3f%% %8.3f%%\n", plan->shares[i].name,
               percent_of(plan->shares[i].before, plan), percent_of(plan->shares[i].after, plan));
    for (size_t i = 0; is_verbose && i < plan->move_count; i++) {
        const char *from = name_of(plan, plan->moves[i].from);
        const char *to = name_of(plan, plan->moves[i].to);

        printf("%s -> %s: %llu\n", from ? from : "nobody", to ? to : "nobody",
               (unsigned long long)plan->moves[i].units);
    }
    printf("moved %.3f %% of %llu %s: %llu, the minimum is %llu, excess %llu\n",
           percent_of(plan->moved, plan), (unsigned long long)plan->units,
           plan->is_sampled ? "sampled keys" : "slots", (unsigned long long)plan->moved,
           (unsigned long long)plan->minimum, (unsigned long long)plan->excess);
}

static int make_plan(const struct ring_options *options, const struct ring_members *members,
                     struct error *why)
{
    struct balance_image *before = NULL;
    struct balance_image *after = NULL;
    struct balance_plan plan = {0};
    int answer = balance_build(&options->balance, options->members, options->count, &before, why);

    if (answer == 0)
        answer = balance_build(&options->balance, members->items, members->count, &after, why);
    if (answer == 0)
        answer = balance_plan_make(before, after, &plan, why);
    if (answer == 0 && options->is_json)
        print_json(&plan);
    else if (answer == 0)
        print_table(&plan, options->is_verbose);
    balance_plan_finish(&plan);
    balance_destroy(before);
    balance_destroy(after);
    return answer;
}

/* Too few slots for so many members cost evenness and moves. */
static void advise_slots(const struct ring_options *options, size_t count)
{
    uint32_t advised = balance_slots_advised(count);

    if (strcmp(options->balance.scheme, "slot-hrw") == 0 && options->balance.slots < advised)
        fprintf(stderr, "roost ring plan: %zu members are better off with %u slots than with %u\n",
                count, advised, options->balance.slots);
}

int ring_plan(const struct ring_options *options)
{
    struct ring_members members;
    struct error why;
    int answer;

    if (!options->add && !options->remove) {
        fputs("roost ring plan: --add or --remove says what changes\n", stderr);
        return WORD_USAGE;
    }
    ring_members_init(&members, options);
    answer = ring_members_remove_all(&members, options->remove, &why);
    if (answer == 0)
        answer = ring_members_add_all(&members, options->add, &why);
    if (answer == 0)
        advise_slots(options, members.count);
    if (answer == 0)
        answer = make_plan(options, &members, &why);
    ring_members_finish(&members);
    return answer < 0 ? ring_options_fail(&why) : WORD_DONE;
}
