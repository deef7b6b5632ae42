#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "proxy/table.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* ---- an example ---- */

static struct balance_image *image_of(const struct table_replica *replicas, unsigned count)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[16];
    struct balance_image *image = NULL;
    struct error why = {0};

    options.slots = BALANCE_SLOTS_MIN;
    for (unsigned i = 0; i < count; i++)
        members[i] = (struct balance_member){replicas[i].name, replicas[i].weight, i + 1};
    if (balance_build(&options, members, count, &image, &why) < 0)
        fail_msg("%s", why.text);
    return image;
}

static struct table_replica replica_of(const char *name, uint16_t port, uint32_t seat)
{
    struct table_replica replica = {.seat = seat, .incarnation = seat + 10, .weight = seat + 1};

    snprintf(replica.name, sizeof(replica.name), "%s", name);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), port, &replica.address), 0);
    return replica;
}

/* Two services and all that belongs to them; nothing in it points outside. */
struct example {
    struct table_replica web[3];
    struct table_replica api[1];
    struct table_key_spec keys[3];
    struct table_listener listeners[2];
    struct table_service_spec services[3];
    struct balance_image *images[3];
    struct table_spec spec;
};

static void make_settings(struct table_settings *settings)
{
    *settings = (struct table_settings){
        .compat = TABLE_COMPAT_ASSIGNMENT,
        .connections_max = 20000,
        .header_bytes = 32768,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .outbound_idle_ms = 4000,
        .body_bytes = UINT64_MAX,
        .buffered_bytes = UINT64_C(1) << 33,
        .access_format = 1,
        .trusted_count = 2,
    };
    assert_int_equal(address_range_from_text(VIEW("10.0.0.0/8"), &settings->trusted[0], NULL), 0);
    assert_int_equal(address_range_from_text(VIEW("::1"), &settings->trusted[1], NULL), 0);
}

static void make_example(struct example *example)
{
    const struct table_rules rules = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

    *example = (struct example){
        .web = {replica_of("Server 1", 9001, 4), replica_of("Server 2", 9002, 0),
                replica_of("Server 3", 9003, TABLE_REPLICAS_MAX - 1)},
        .api = {replica_of("api", 9004, 7)},
        .keys = {{TABLE_KEY_HEADER, 0, 0, "X-Request-ID"},
                 {TABLE_KEY_CLIENT_IP, 24, 64, NULL},
                 {TABLE_KEY_RANDOM, 6, 0, NULL}},
        .listeners = {{{5}, 1}, {{UINT64_MAX, 1, 2, 3}, 0}},
    };
    example->images[0] = image_of(example->web, 3);
    example->images[1] = image_of(example->api, 1);
    example->images[2] = image_of(example->api, 0);
    example->services[0] = (struct table_service_spec){.name = "web",
                                                       .host = "example.org",
                                                       .path = "/shop",
                                                       .replicas = example->web,
                                                       .replica_count = 3,
                                                       .image = example->images[0],
                                                       .keys = example->keys,
                                                       .key_count = 3,
                                                       .rules = rules};
    example->services[1] = (struct table_service_spec){.name = "api",
                                                       .path = "/api",
                                                       .replicas = example->api,
                                                       .replica_count = 1,
                                                       .image = example->images[1],
                                                       .keys = example->keys + 2,
                                                       .key_count = 1};
    example->services[2] =
        (struct table_service_spec){.name = "empty", .image = example->images[2]};
    example->spec = (struct table_spec){.epoch = 42,
                                        .listeners = example->listeners,
                                        .listener_count = 2,
                                        .services = example->services,
                                        .service_count = 3};
    make_settings(&example->spec.settings);
}

static void forget_example(struct example *example)
{
    for (size_t i = 0; i < ARRAY_SIZE(example->images); i++)
        balance_destroy(example->images[i]);
    memset(example, 0xee, sizeof(*example));
}

static int build(const struct table_spec *spec)
{
    struct error why = {0};
    int fd = -1;

    if (table_build(spec, &fd, &why) < 0)
        fail_msg("%s", why.text);
    return fd;
}

static const struct table *map(int fd)
{
    const struct table *table = NULL;
    struct error why = {0};

    if (table_map(fd, &table, &why) < 0)
        fail_msg("%s", why.text);
    close(fd);
    return table;
}

/* ---- what is built is what is read ---- */

static void assert_text(const struct table *table, uint32_t offset, const char *expected)
{
    assert_true(view_equals(table_text(table, offset), view_of(expected)));
    assert_int_equal(offset == 0, expected == NULL);
}

static void assert_service(const struct table *table, unsigned number,
                           const struct table_service_spec *spec)
{
    const struct table_service *service = table_services(table) + number;

    assert_string_equal(service->name, spec->name);
    assert_text(table, service->host, spec->host);
    assert_text(table, service->path, spec->path);
    assert_int_equal(service->replica_count, spec->replica_count);
    if (spec->replica_count)
        assert_memory_equal(table_replicas(table, service), spec->replicas,
                            spec->replica_count * sizeof(struct table_replica));
    assert_int_equal(service->key_count, spec->key_count);
    for (unsigned i = 0; i < spec->key_count; i++) {
        assert_int_equal(service->keys[i].kind, spec->keys[i].kind);
        assert_int_equal(service->keys[i].number, spec->keys[i].number);
        assert_int_equal(service->keys[i].number6, spec->keys[i].number6);
        assert_text(table, service->keys[i].text, spec->keys[i].text);
    }
    assert_memory_equal(&service->rules, &spec->rules, sizeof(spec->rules));
    assert_int_equal(service->image_bytes, balance_image_bytes(spec->image));
    assert_int_equal((uintptr_t)table_image(table, service) % BALANCE_ALIGNMENT, 0);
    assert_memory_equal(table_image(table, service), spec->image, service->image_bytes);
}

static void everything_that_was_given_is_read_back(void **state)
{
    const struct table *table;
    struct example example;

    (void)state;
    make_example(&example);
    table = map(build(&example.spec));
    assert_int_equal(table->epoch, 42);
    assert_int_equal(table->service_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_service(table, i, &example.services[i]);
    assert_int_equal(table->listener_count, 2);
    assert_memory_equal(table->listeners, example.listeners, sizeof(example.listeners));
    assert_memory_equal(&table->settings, &example.spec.settings, sizeof(table->settings));
    table_unmap(table);
    forget_example(&example);
}

static void a_table_does_not_need_what_it_was_built_from(void **state)
{
    const struct table_service *service;
    const struct balance_image *image;
    const struct table *table;
    struct example example;
    unsigned owner;
    int fd;

    (void)state;
    make_example(&example);
    owner = balance_owner(example.images[0], balance_hash(example.images[0], VIEW("key"), NULL), 0,
                          NULL);
    fd = build(&example.spec);
    forget_example(&example);
    table = map(fd);
    service = table_services(table);
    image = table_image(table, service);
    assert_int_equal(balance_owner(image, balance_hash(image, VIEW("key"), NULL), 0, NULL), owner);
    assert_string_equal(balance_name(image, owner), table_replicas(table, service)[owner].name);
    table_unmap(table);
}

static void a_table_may_be_empty(void **state)
{
    const struct table_spec spec = {.epoch = 1};
    const struct table *table = map(build(&spec));

    (void)state;
    assert_int_equal(table->service_count, 0);
    assert_int_equal(table->listener_count, 0);
    table_unmap(table);
    table_unmap(NULL);
}

static void digest_of(const struct table_spec *spec, char digest[TABLE_DIGEST_TEXT_BYTES])
{
    const struct table *table = map(build(spec));

    memcpy(digest, table->digest, TABLE_DIGEST_TEXT_BYTES);
    table_unmap(table);
}

static void a_heal_changes_the_table_and_not_its_digest(void **state)
{
    char before[TABLE_DIGEST_TEXT_BYTES];
    char after[TABLE_DIGEST_TEXT_BYTES];
    struct example example;

    (void)state;
    make_example(&example);
    digest_of(&example.spec, before);
    assert_int_equal(strlen(before), TABLE_DIGEST_TEXT_BYTES - 1);
    example.spec.epoch++;
    example.web[1].incarnation++;
    address_set_port(&example.web[1].address, 9999);
    digest_of(&example.spec, after);
    assert_string_equal(before, after);
    /* A replica less somewhere is another placement. */
    example.services[1].replica_count = 0;
    example.services[1].image = example.images[2];
    digest_of(&example.spec, after);
    assert_string_not_equal(before, after);
    /* One service alone has the digest of its own placement. */
    example.spec.service_count = 1;
    digest_of(&example.spec, after);
    balance_digest_text(balance_digest(example.images[0]), before);
    assert_string_equal(before, after);
    forget_example(&example);
}

static void nobody_changes_a_table(void **state)
{
    const struct table_spec spec = {.epoch = 1};
    const struct table *table;
    int fd = build(&spec);

    (void)state;
    assert_int_equal(fcntl(fd, F_GET_SEALS), SEALS | F_SEAL_SEAL);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    table = map(fd);
    assert_int_equal(mprotect((void *)table, 4096, PROT_READ | PROT_WRITE), -1);
    table_unmap(table);
}

static void what_cannot_be_built_is_refused_with_a_sentence(void **state)
{
    static struct table_service_spec services[TABLE_SERVICES_MAX + 1];
    static struct table_listener listeners[TABLE_LISTENERS_MAX + 1];
    struct table_spec spec = {.services = services};
    struct error why = {0};
    struct example example;
    int fd = -7;

    (void)state;
    make_example(&example);
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        services[i] = example.services[2];
    spec.service_count = TABLE_SERVICES_MAX + 1;
    assert_int_equal(table_build(&spec, &fd, &why), -E2BIG);
    assert_string_equal(why.text, "at most 256 services");
    spec.service_count = 1;
    spec.listeners = listeners;
    spec.listener_count = TABLE_LISTENERS_MAX + 1;
    assert_int_equal(table_build(&spec, &fd, &why), -E2BIG);
    spec.listener_count = 0;
    services[0].key_count = TABLE_KEY_SOURCES_MAX + 1;
    assert_int_equal(table_build(&spec, &fd, &why), -E2BIG);
    assert_string_equal(why.text, "service empty: at most 8 key sources");
    services[0] = example.services[0];
    services[0].replica_count = 2;
    assert_int_equal(table_build(&spec, &fd, &why), -EINVAL);
    assert_string_equal(why.text, "service web: its image is of other replicas");
    services[0].replica_count = TABLE_REPLICAS_MAX + 1;
    assert_int_equal(table_build(&spec, &fd, &why), -E2BIG);
    services[0] = example.services[0];
    services[0].name = "a name of sixty-four bytes is one byte too long for a service, sorry";
    assert_int_equal(table_build(&spec, &fd, &why), -EINVAL);
    assert_int_equal(fd, -7);
    forget_example(&example);
}

/* ---- what is not a table ---- */

/* The bytes of the example's table, the caller's. */
static struct table *bytes_of_example(void)
{
    struct example example;
    struct stat status;
    struct table *copy;
    int fd;

    make_example(&example);
    fd = build(&example.spec);
    forget_example(&example);
    assert_int_equal(fstat(fd, &status), 0);
    copy = memory_allocate((size_t)status.st_size);
    assert_int_equal(pread(fd, copy, (size_t)status.st_size, 0), status.st_size);
    assert_int_equal(copy->bytes, status.st_size);
    close(fd);
    return copy;
}

static int file_of(const void *bytes, size_t size, int seals)
{
    int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* What table_map() says of a sealed copy; `*table` is to be unmapped where that is 0. */
static int map_copy(const struct table *bytes, size_t size, const struct table **table)
{
    struct error why = {0};
    int fd = file_of(bytes, size, SEALS);
    int result = table_map(fd, table, &why);

    close(fd);
    if (result < 0)
        assert_true(strlen(why.text) > 0);
    return result;
}

static void a_table_that_could_change_is_refused(void **state)
{
    static const int seals[] = {0, F_SEAL_WRITE, SEALS & ~F_SEAL_WRITE, SEALS & ~F_SEAL_SHRINK,
                                SEALS & ~F_SEAL_GROW};
    struct table *bytes = bytes_of_example();
    const struct table *table = NULL;
    struct error why = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(seals); i++) {
        int fd = file_of(bytes, bytes->bytes, seals[i]);

        assert_int_equal(table_map(fd, &table, &why), -EBADMSG);
        assert_string_equal(why.text, "the table is not sealed");
        close(fd);
    }
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), 0);
    table_unmap(table);
    assert_int_equal(table_map(-1, &table, &why), -EBADMSG);
    assert_int_equal(table_map(STDIN_FILENO, &table, &why), -EBADMSG);
    free(bytes);
}

static void a_table_that_was_cut_is_refused(void **state)
{
    struct table *bytes = bytes_of_example();
    size_t size = bytes->bytes;
    const struct table *table = NULL;
    struct table *longer = memory_allocate(size + 1);

    (void)state;
    for (size_t cut = 0; cut < size; cut += cut < sizeof(*bytes) ? 97 : 61)
        assert_int_equal(map_copy(bytes, cut, &table), -EBADMSG);
    assert_int_equal(map_copy(bytes, size - 1, &table), -EBADMSG);
    memcpy(longer, bytes, size);
    assert_int_equal(map_copy(longer, size + 1, &table), -EBADMSG);
    /* Even where it says itself that it is so short. */
    for (size_t cut = sizeof(*bytes); cut < size; cut += 61) {
        bytes->bytes = cut;
        assert_int_equal(map_copy(bytes, cut, &table), -EBADMSG);
    }
    free(longer);
    free(bytes);
}

static void another_version_is_refused(void **state)
{
    struct table *bytes = bytes_of_example();
    const struct table *table = NULL;

    (void)state;
    bytes->version++;
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    bytes->version--;
    bytes->magic ^= 1;
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    free(bytes);
}

/* Sets the 32-bit word at `word` to values that cannot be; each is refused. */
static void assert_word_is_guarded(struct table *bytes, uint32_t *word, const uint32_t *values,
                                   size_t count)
{
    uint32_t kept = *word;
    const struct table *table = NULL;

    for (size_t i = 0; i < count; i++) {
        *word = values[i];
        if (map_copy(bytes, bytes->bytes, &table) != -EBADMSG)
            fail_msg("word at %zu may be %u", (size_t)((char *)word - (char *)bytes), values[i]);
    }
    *word = kept;
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), 0);
    table_unmap(table);
}

static void offsets_and_counts_that_lead_outside_are_refused(void **state)
{
    struct table *bytes = bytes_of_example();
    uint32_t size = (uint32_t)bytes->bytes;
    struct table_service *service = (void *)((char *)bytes + bytes->services);
    struct table_replica *replica = (void *)((char *)bytes + service->replicas);
    uint32_t *offsets[] = {&bytes->services,   &service->host,  &service->path,
                           &service->replicas, &service->image, &service->keys[0].text};
    const uint32_t outside[] = {
        1, (uint32_t)sizeof(*bytes) - 8, size, size + 64, UINT32_MAX, UINT32_MAX - 63};
    const uint32_t large[] = {UINT32_MAX, TABLE_REPLICAS_MAX + 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
        assert_word_is_guarded(bytes, offsets[i], outside, ARRAY_SIZE(outside));
    assert_word_is_guarded(bytes, &bytes->service_count, large, 2);
    assert_word_is_guarded(bytes, &bytes->service_count, (uint32_t[]){200}, 1);
    assert_word_is_guarded(bytes, &bytes->listener_count, large, 2);
    assert_word_is_guarded(bytes, &bytes->settings.trusted_count, large, 2);
    assert_word_is_guarded(bytes, &bytes->settings.compat, large, 2);
    assert_word_is_guarded(bytes, &service->replica_count, large, 2);
    assert_word_is_guarded(bytes, &service->replica_count, (uint32_t[]){2, 4}, 2);
    assert_word_is_guarded(bytes, &service->image_bytes, large, 1);
    assert_word_is_guarded(bytes, &service->image_bytes, (uint32_t[]){0, 64}, 2);
    assert_word_is_guarded(bytes, &service->key_count, large, 2);
    assert_word_is_guarded(bytes, &service->keys[1].kind, large, 2);
    assert_word_is_guarded(bytes, &replica->seat, large, 2);
    assert_word_is_guarded(bytes, &replica->address.size, large, 2);
    free(bytes);
}

static void texts_without_an_end_are_refused(void **state)
{
    struct table *bytes = bytes_of_example();
    struct table_service *service = (void *)((char *)bytes + bytes->services);
    struct table_replica *replica = (void *)((char *)bytes + service->replicas);
    const struct table *table = NULL;

    (void)state;
    memset(replica->name, 'x', sizeof(replica->name));
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    replica->name[TABLE_NAME_BYTES - 1] = 0;
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), 0);
    table_unmap(table);
    memset(service->name, 'x', sizeof(service->name));
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    service->name[0] = 0;
    memset(bytes->digest, 'x', sizeof(bytes->digest));
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    bytes->digest[0] = 0;
    bytes->settings.trusted[1].bits = 129;
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    bytes->settings.trusted[1].bits = 128;
    /* A text that begins inside and runs out of the table's last byte. */
    service->path = (uint32_t)bytes->bytes - 1;
    ((char *)bytes)[bytes->bytes - 1] = 'x';
    assert_int_equal(map_copy(bytes, bytes->bytes, &table), -EBADMSG);
    free(bytes);
}

/* ---- random damage ---- */

static void assert_inside(const struct table *table, const void *start, size_t size)
{
    const char *begin = (const char *)table;
    const char *at = start;

    assert_true(at >= begin && at <= begin + table->bytes);
    assert_true(size <= (size_t)(begin + table->bytes - at));
}

static void walk_text(const struct table *table, uint32_t offset)
{
    struct view text = table_text(table, offset);

    if (text.data)
        assert_inside(table, text.data, text.size + 1);
}

/* Reads all a worker reads; the content of an image is trusted (balance/balance.h). */
static void walk(const struct table *table)
{
    assert_inside(table, table_services(table),
                  table->service_count * sizeof(struct table_service));
    for (unsigned i = 0; i < table->service_count; i++) {
        const struct table_service *service = table_services(table) + i;

        assert_true(strnlen(service->name, TABLE_NAME_BYTES) < TABLE_NAME_BYTES);
        walk_text(table, service->host);
        walk_text(table, service->path);
        assert_true(service->key_count <= TABLE_KEY_SOURCES_MAX);
        for (unsigned j = 0; j < service->key_count; j++)
            walk_text(table, service->keys[j].text);
        assert_inside(table, table_replicas(table, service),
                      service->replica_count * sizeof(struct table_replica));
        for (unsigned j = 0; j < service->replica_count; j++) {
            const struct table_replica *replica = table_replicas(table, service) + j;

            assert_true(strnlen(replica->name, TABLE_NAME_BYTES) < TABLE_NAME_BYTES);
            assert_true(replica->seat < TABLE_REPLICAS_MAX);
            assert_true(replica->address.size <= sizeof(replica->address));
        }
        assert_inside(table, table_image(table, service), service->image_bytes);
        assert_int_equal(balance_count(table_image(table, service)), service->replica_count);
    }
}

static void damage(unsigned char *bytes, size_t size)
{
    static const uint32_t words[] = {0, 1, 8, 64, 0x7fffffff, 0x80000000, UINT32_MAX};
    size_t at = random_below(size / 4) * 4;
    uint32_t word = words[random_below(ARRAY_SIZE(words))];

    switch (random_below(3)) {
    case 0:
        bytes[random_below(size)] ^= (unsigned char)(1u << random_below(8));
        return;
    case 1:
        word = (uint32_t)random_below(2 * size);
        break;
    default:
        break;
    }
    memcpy(bytes + at, &word, sizeof(word));
}

/* Past the unused listeners and ranges, which nobody reads, and past the slots of images. */
static void damage_somewhere(struct table *bytes)
{
    struct table_service *services = (void *)((char *)bytes + bytes->services);
    size_t services_bytes = bytes->service_count * sizeof(*services);
    struct table_service *service = &services[random_below(bytes->service_count)];

    switch (random_below(4)) {
    case 0:
        damage((unsigned char *)bytes, offsetof(struct table, listeners));
        return;
    case 1:
        damage((unsigned char *)&bytes->settings, sizeof(bytes->settings));
        return;
    case 2:
        damage((unsigned char *)services, services_bytes);
        return;
    default:
        damage((unsigned char *)bytes + service->replicas,
               3 * sizeof(struct table_replica) + sizeof(struct balance_image));
        return;
    }
}

static void random_damage_is_refused_or_harmless(void **state)
{
    struct table *bytes = bytes_of_example();
    struct table *copy = memory_allocate(bytes->bytes);
    unsigned refused = 0;
    unsigned accepted = 0;

    (void)state;
    random_seed(7);
    for (unsigned round = 0; round < 6000; round++) {
        const struct table *table = NULL;

        memcpy(copy, bytes, bytes->bytes);
        damage_somewhere(copy);
        if (map_copy(copy, bytes->bytes, &table) < 0) {
            refused++;
            continue;
        }
        accepted++;
        walk(table);
        table_unmap(table);
    }
    assert_true(refused > 500 && accepted > 500);
    free(copy);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_was_given_is_read_back),
        cmocka_unit_test(a_table_does_not_need_what_it_was_built_from),
        cmocka_unit_test(a_table_may_be_empty),
        cmocka_unit_test(a_heal_changes_the_table_and_not_its_digest),
        cmocka_unit_test(nobody_changes_a_table),
        cmocka_unit_test(what_cannot_be_built_is_refused_with_a_sentence),
        cmocka_unit_test(a_table_that_could_change_is_refused),
        cmocka_unit_test(a_table_that_was_cut_is_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(offsets_and_counts_that_lead_outside_are_refused),
        cmocka_unit_test(texts_without_an_end_are_refused),
        cmocka_unit_test(random_damage_is_refused_or_harmless),
    };

    return cmocka_run_group_tests_name("proxy/table", tests, NULL, NULL);
}
