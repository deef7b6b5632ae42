#include "ring/ring_replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "balance/balance_builder.h"
#include "base/memory.h"
#include "base/word.h"
#include "ring/ring_cache.h"
#include "ring/ring_log.h"
#include "ring/ring_members.h"

#define SEEN_MAX       (UINT32_C(1) << 23) /* different keys whose moves are followed */
#define CHANGES_MAX    256
#define PROGRESS_LINES 65536

/* A member that was there at some time, by name. */
struct tally {
    char *name;
    uint64_t requests;
    uint64_t bytes;
    uint64_t hits;
    struct ring_cache cache;
};

/* A key that was seen: who it is, and its hash as the scheme has it. */
struct seen {
    uint64_t key;
    uint64_t hash;
};

struct change {
    uint64_t at; /* before this request, the first being 1 */
    bool is_add;
    struct view name;
    uint64_t keys;  /* seen until then */
    uint64_t moved; /* of them */
};

struct replay {
    const struct ring_options *options;
    const char *field;
    struct ring_members members;
    struct balance_builder *builder;
    struct balance_load load;
    struct tally *tallies;
    size_t tally_count;
    uint32_t *tally_of; /* by member index */
    struct seen *seen;  /* open hash table; key 0 is free */
    uint32_t seen_mask;
    uint32_t seen_count;
    struct change changes[CHANGES_MAX];
    size_t change_count;
    size_t changes_done;
    uint64_t requests;
    uint64_t skipped; /* lines that are none */
};

static uint64_t fingerprint(struct view key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(1099511628211);
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

static void place_seen(struct seen *table, uint32_t mask, struct seen seen)
{
    uint32_t at = (uint32_t)seen.key & mask;

    while (table[at].key && table[at].key != seen.key)
        at = (at + 1) & mask;
    table[at] = seen;
}

static bool is_seen(const struct replay *replay, uint64_t key)
{
    uint32_t at = (uint32_t)key & replay->seen_mask;

    while (replay->seen[at].key && replay->seen[at].key != key)
        at = (at + 1) & replay->seen_mask;
    return replay->seen[at].key != 0;
}

static void remember(struct replay *replay, struct seen seen)
{
    if (is_seen(replay, seen.key) || replay->seen_count == SEEN_MAX)
        return;
    if (replay->seen_count * 2 > replay->seen_mask) {
        uint32_t mask = replay->seen_mask * 2 + 1;
        struct seen *grown = memory_allocate((mask + (size_t)1) * sizeof(*grown));

        for (uint32_t i = 0; i <= replay->seen_mask; i++) {
            if (replay->seen[i].key)
                place_seen(grown, mask, replay->seen[i]);
        }
        free(replay->seen);
        replay->seen = grown;
        replay->seen_mask = mask;
    }
    place_seen(replay->seen, replay->seen_mask, seen);
    replay->seen_count++;
}

/* One change: "1000:+name" or "1000:-name". */
static int parse_change(struct view text, struct change *change, struct error *why)
{
    size_t colon = view_find(text, ':');
    struct view name = view_after(text, colon + 1);

    *change = (struct change){.name = view_after(name, 1)};
    if (view_to_number(view_first(text, colon), UINT64_MAX, &change->at) < 0 || name.size < 2 ||
        (name.data[0] != '+' && name.data[0] != '-'))
        return error_set(why, -EINVAL,
                         "the change '%.*s' is none: expected 1000:+NAME or 1000:-NAME",
                         VIEW_ARGUMENTS(text));
    change->is_add = name.data[0] == '+';
    return 0;
}

static int parse_changes(struct replay *replay, struct error *why)
{
    struct view rest = view_of(replay->options->changes);
    uint64_t before = 0;

    while (rest.size) {
        struct view text = view_first(rest, view_find(rest, ','));
        struct change *change = &replay->changes[replay->change_count];
        int answer;

        if (replay->change_count == CHANGES_MAX)
            return error_set(why, -E2BIG, "at most %d changes are possible", CHANGES_MAX);
        answer = parse_change(text, change, why);
        if (answer < 0)
            return answer;
        if (change->at < before)
            return error_set(why, -EINVAL, "the changes are not in order: %llu comes after %llu",
                             (unsigned long long)change->at, (unsigned long long)before);
        before = change->at;
        replay->change_count++;
        rest = view_after(rest, text.size + 1);
    }
    return 0;
}

/* The tally of a name, made if it is new. */
static uint32_t find_tally(struct replay *replay, const char *name)
{
    for (size_t i = 0; i < replay->tally_count; i++) {
        if (strcmp(replay->tallies[i].name, name) == 0)
            return (uint32_t)i;
    }
    replay->tallies =
        memory_resize(replay->tallies, (replay->tally_count + 1) * sizeof(*replay->tallies));
    replay->tallies[replay->tally_count] = (struct tally){.name = memory_copy_text(name)};
    if (replay->options->cache)
        ring_cache_init(&replay->tallies[replay->tally_count].cache,
                        (uint32_t)replay->options->cache);
    return (uint32_t)replay->tally_count++;
}

static int set_members(struct replay *replay, struct error *why)
{
    int answer =
        balance_builder_set(replay->builder, replay->members.items, replay->members.count, why);

    if (answer < 0)
        return answer;
    replay->tally_of =
        memory_resize(replay->tally_of, (replay->members.count + 1) * sizeof(*replay->tally_of));
    for (size_t i = 0; i < replay->members.count; i++)
        replay->tally_of[i] = find_tally(replay, replay->members.items[i].name);
    return 0;
}

/* Of the keys seen, those whose owner has another name now. */
static void count_moved(const struct replay *replay, struct change *change)
{
    const struct balance_image *before = balance_builder_previous(replay->builder);
    const struct balance_image *after = balance_builder_image(replay->builder);

    change->keys = replay->seen_count;
    for (uint32_t i = 0; i <= replay->seen_mask; i++) {
        const struct seen *seen = &replay->seen[i];
        const char *old;
        const char *new;

        if (!seen->key)
            continue;
        old = balance_name(before, balance_owner(before, seen->hash, 0, NULL));
        new = balance_name(after, balance_owner(after, seen->hash, 0, NULL));
        change->moved += !old || !new || strcmp(old, new) != 0;
    }
}

static int do_changes(struct replay *replay, struct error *why)
{
    while (replay->changes_done < replay->change_count &&
           replay->changes[replay->changes_done].at <= replay->requests) {
        struct change *change = &replay->changes[replay->changes_done++];
        int answer = change->is_add ? ring_members_add(&replay->members, change->name, why)
                                    : ring_members_remove(&replay->members, change->name, why);

        if (answer == 0)
            answer = set_members(replay, why);
        if (answer < 0)
            return answer;
        if (balance_is_keyed(balance_builder_image(replay->builder)))
            count_moved(replay, change);
    }
    return 0;
}

static void count_request(struct replay *replay, const struct ring_log_line *line)
{
    const struct balance_image *image = balance_builder_image(replay->builder);
    struct view key = {line->key, line->key_bytes};
    uint64_t hash = balance_hash(image, key, &replay->load);
    unsigned owner = balance_owner(image, hash, 0, &replay->load);
    uint64_t identity = fingerprint(key);
    struct tally *tally;

    if (balance_is_keyed(image))
        remember(replay, (struct seen){identity, hash});
    if (owner == BALANCE_NONE)
        return;
    tally = &replay->tallies[replay->tally_of[owner]];
    tally->requests++;
    tally->bytes += line->bytes;
    if (replay->options->cache)
        tally->hits += ring_cache_use(&tally->cache, identity);
}

static void show_progress(uint64_t lines, off_t done, off_t size)
{
    static const char bar[] = "##############################";

    if (lines % PROGRESS_LINES || size <= 0 || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r[%-30.*s] %3d %%", (int)(done * 30 / size), bar, (int)(done * 100 / size));
}

static int read_lines(struct replay *replay, FILE *file, struct error *why)
{
    struct stat facts = {0};
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    uint64_t lines = 0;
    off_t done = 0;
    int answer = 0;

    if (fstat(fileno(file), &facts) < 0 || !S_ISREG(facts.st_mode))
        facts.st_size = 0;
    while (answer == 0 && (size = getline(&text, &capacity, file)) >= 0) {
        struct ring_log_line line;
        struct view view = {text, (size_t)size};

        done += size;
        if (view.size && view.data[view.size - 1] == '\n')
            view.size--;
        show_progress(++lines, done, facts.st_size);
        if (ring_log_parse(view, replay->field, &line) < 0) {
            replay->skipped++;
            continue;
        }
        replay->requests++;
        answer = do_changes(replay, why);
        count_request(replay, &line);
    }
    if (answer == 0 && ferror(file))
        answer = error_set(why, -errno, "%s: %s", replay->options->arguments[0], strerror(errno));
    if (facts.st_size && lines >= PROGRESS_LINES && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    free(text);
    return answer;
}

/* The most of one member over the average of those that are there at the end. */
static double peak_of(const struct replay *replay, bool is_bytes)
{
    double sum = 0;
    double most = 0;

    for (size_t i = 0; i < replay->tally_count; i++) {
        const struct tally *tally = &replay->tallies[i];
        double value = (double)(is_bytes ? tally->bytes : tally->requests);

        sum += value;
        most = value > most ? value : most;
    }
    return sum > 0 ? most * (double)replay->tally_count / sum : 0;
}

static double hit_rate(const struct replay *replay)
{
    uint64_t hits = 0;

    for (size_t i = 0; i < replay->tally_count; i++)
        hits += replay->tallies[i].hits;
    return replay->requests ? (double)hits / (double)replay->requests : 0;
}

static void print_json(const struct replay *replay)
{
    printf("{\"scheme\":\"%s\",\"requests\":%llu,\"skipped\":%llu,\"keys\":%u,"
           "\"peak_to_average\":%.6g,\"peak_to_average_bytes\":%.6g,\"hit_rate\":%.6g,"
           "\"replicas\":[",
           replay->options->balance.scheme, (unsigned long long)replay->requests,
           (unsigned long long)replay->skipped, replay->seen_count, peak_of(replay, false),
           peak_of(replay, true), hit_rate(replay));
    for (size_t i = 0; i < replay->tally_count; i++) {
        const struct tally *tally = &replay->tallies[i];

        printf("%s{\"name\":", i ? "," : "");
        ring_options_print_json(tally->name);
        printf(",\"requests\":%llu,\"bytes\":%llu,\"hits\":%llu}",
               (unsigned long long)tally->requests, (unsigned long long)tally->bytes,
               (unsigned long long)tally->hits);
    }
    printf("],\"changes\":[");
    for (size_t i = 0; i < replay->changes_done; i++) {
        const struct change *change = &replay->changes[i];
        char name[BALANCE_NAME_BYTES_MAX + 1] = "";

        (void)!view_to_text(change->name, name, sizeof(name));
        printf("%s{\"at\":%llu,\"%s\":", i ? "," : "", (unsigned long long)change->at,
               change->is_add ? "add" : "remove");
        ring_options_print_json(name);
        printf(",\"keys\":%llu,\"moved\":%llu}", (unsigned long long)change->keys,
               (unsigned long long)change->moved);
    }
    printf("]}\n");
}

static void print_table(const struct replay *replay)
{
    printf("%-24s %12s %16s %8s\n", "replica", "requests", "bytes", "hits");
    for (size_t i = 0; i < replay->tally_count; i++) {
        const struct tally *tally = &replay->tallies[i];

        printf("%-24s %12llu %16llu ", tally->name, (unsigned long long)tally->requests,
               (unsigned long long)tally->bytes);
        if (replay->options->cache && tally->requests)
            printf("%7.2f%%\n", 100.0 * (double)tally->hits / (double)tally->requests);
        else
            printf("%8s\n", "-");
    }
    for (size_t i = 0; i < replay->changes_done; i++) {
        const struct change *change = &replay->changes[i];

        printf("at %llu %s %.*s: %llu of %llu keys moved, %.3f %%\n",
               (unsigned long long)change->at, change->is_add ? "+" : "-",
               VIEW_ARGUMENTS(change->name), (unsigned long long)change->moved,
               (unsigned long long)change->keys,
               change->keys ? 100.0 * (double)change->moved / (double)change->keys : 0);
    }
    printf("%s: %llu requests, %u keys, %llu lines skipped; peak/average %.4f by requests, %.4f by "
           "bytes",
           replay->options->balance.scheme, (unsigned long long)replay->requests,
           replay->seen_count, (unsigned long long)replay->skipped, peak_of(replay, false),
           peak_of(replay, true));
    if (replay->options->cache)
        printf("; hit rate %.2f %%", 100 * hit_rate(replay));
    putchar('\n');
}

static void finish(struct replay *replay)
{
    for (size_t i = 0; i < replay->tally_count; i++) {
        ring_cache_finish(&replay->tallies[i].cache);
        free(replay->tallies[i].name);
    }
    free(replay->tallies);
    free(replay->tally_of);
    free(replay->seen);
    balance_builder_destroy(replay->builder);
    ring_members_finish(&replay->members);
    free(replay);
}

static int run(struct replay *replay, FILE *file, struct error *why)
{
    int answer = parse_changes(replay, why);
    uint64_t caches = replay->options->count + replay->change_count;

    if (answer == 0 && replay->options->cache * caches > RING_CACHES_MAX)
        return error_set(why, -EINVAL, "--cache: more than %d entries in %llu caches",
                         RING_CACHES_MAX, (unsigned long long)caches);
    if (answer == 0)
        answer = balance_builder_create(&replay->options->balance, &replay->builder, why);
    if (answer == 0)
        answer = set_members(replay, why);
    if (answer == 0)
        answer = read_lines(replay, file, why);
    if (answer == 0 && replay->options->is_json)
        print_json(replay);
    else if (answer == 0)
        print_table(replay);
    return answer;
}

int ring_replay(const struct ring_options *options)
{
    struct replay *replay;
    struct error why;
    FILE *file;
    int answer;

    if (options->argument_count != 1) {
        fputs("roost ring replay: one LOG is needed, or - for standard input\n", stderr);
        return WORD_USAGE;
    }
    file = strcmp(options->arguments[0], "-") == 0 ? stdin : fopen(options->arguments[0], "re");
    if (!file) {
        error_set(&why, -errno, "%s: %s", options->arguments[0], strerror(errno));
        return ring_options_fail(&why);
    }
    replay = memory_allocate(sizeof(*replay));
    replay->options = options;
    replay->field = options->key ? options->key : "path";
    replay->seen_mask = 4095;
    replay->seen = memory_allocate((replay->seen_mask + (size_t)1) * sizeof(*replay->seen));
    ring_members_init(&replay->members, options);
    answer = run(replay, file, &why);
    finish(replay);
    if (file != stdin)
        fclose(file);
    return answer < 0 ? ring_options_fail(&why) : WORD_DONE;
}
