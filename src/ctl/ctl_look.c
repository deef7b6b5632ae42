#include "ctl/ctl_look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/word.h"
#include "ctl/ctl_ask.h"
#include "ctl/ctl_table.h"

static void print_line(const char *title, const json_t *value)
{
    printf("%-8s", title);
    if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
    else
        printf("%s\n", json_is_string(value) ? json_string_value(value) : "-");
}

static void print_ranks(const json_t *ranks)
{
    static const char *const names[] = {">RANK", "REPLICA", "STATE", "PASSED OVER", NULL};
    struct ctl_table table;
    json_t *rank;
    size_t i;

    ctl_table_init(&table, names);
    json_array_foreach(ranks, i, rank)
    {
        ctl_table_add(&table, "%zu", i + 1);
        ctl_table_add_json(&table, json_object_get(rank, "name"));
        ctl_table_add_json(&table, json_object_get(rank, "state"));
        ctl_table_add_json(&table, json_object_get(rank, "skip"));
    }
    if (table.row_count) {
        puts("");
        ctl_table_print(&table, stdout);
    }
    ctl_table_finish(&table);
}

int ctl_look_explain(struct ctl *ctl)
{
    char target[CTL_CLIENT_TARGET_BYTES_MAX];
    json_t *answer;

    if (ctl->options->name_count != 1) {
        fprintf(stderr, "roost ctl: explain wants one key; see roost ctl --help\n");
        return WORD_USAGE;
    }
    ctl_ask_query(ctl, "/v1/explain", "key", ctl->options->names[0], target);
    answer = ctl_ask(ctl, METHOD_GET, target, NULL);
    if (!answer)
        return WORD_FAILED;
    if (!ctl->options->is_json) {
        print_line("key", json_object_get(answer, "key"));
        print_line("source", json_object_get(answer, "source"));
        print_line("hash", json_object_get(answer, "hash"));
        print_line("slot", json_object_get(answer, "slot"));
        print_line("goes to", json_object_get(answer, "goes_to"));
        print_line("why", json_object_get(answer, "why"));
        print_ranks(json_object_get(answer, "ranks"));
    }
    json_decref(answer);
    return WORD_DONE;
}

int ctl_look_logs(struct ctl *ctl)
{
    char target[CTL_CLIENT_TARGET_BYTES_MAX];
    struct ctl_client_request request = {.method = METHOD_GET, .target = target};
    struct ctl_client_answer answer;
    struct error why;
    int status = WORD_FAILED;

    if (ctl->options->name_count != 1) {
        fprintf(stderr, "roost ctl: logs wants the name of a replica; see roost ctl --help\n");
        return WORD_USAGE;
    }
    ctl_ask_path(ctl, ctl->options->names[0], "/log", target);
    if (ctl_client_ask(&ctl->client, &request, &answer, &why) < 0) {
        fprintf(stderr, "roost ctl: %s\n", why.text);
    } else if (answer.status != 200) {
        ctl_ask_complain(&answer);
    } else {
        fwrite(buffer_view(&answer.body).data, 1, buffer_size(&answer.body), stdout);
        status = WORD_DONE;
    }
    ctl_client_forget(&answer);
    return status;
}
