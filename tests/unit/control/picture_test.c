#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* A configuration, its crews without members yet, and the table they make. */
struct fixture {
    struct loop loop;
    struct publish publish;
    struct config config;
    struct crew crews[4];
    struct listeners listeners;
    struct picture picture;
    struct replica replicas[4];
    const struct table *table;
};

static void load(struct fixture *f, const char *text)
{
    char path[] = "/tmp/picture-test-XXXXXX";
    int fd = mkstemp(path);
    struct error why;
    FILE *file = fdopen(fd, "w");

    fputs(text, file);
    fclose(file);
    if (config_load(&f->config, path, NULL, (char *const[]){NULL}, NULL, &why) < 0)
        fail_msg("%s", why.text);
    unlink(path);
    for (unsigned i = 0; i < f->config.service_count; i++) {
        f->crews[i].config = &f->config.services[i];
        f->crews[i].whole = &f->config;
        list_init(&f->crews[i].members);
        handoff_init(&f->crews[i].handoff, &f->publish);
    }
    listeners_init(&f->listeners);
    for (unsigned i = 0; i < f->config.listener_count; i++) {
        struct address address;

        assert_int_equal(
            0, address_from_text(view_of(f->config.listeners[i].address), &address, &why));
        assert_true(listeners_add_taken(&f->listeners, &address) >= 0);
    }
    f->picture = (struct picture){
        .config = &f->config, .crews = f->crews, .listeners = &f->listeners, .workers = 4};
}

static void add_member(struct fixture *f, struct crew_member *member, unsigned number,
                       const char *name)
{
    struct replica *replica = &f->replicas[number];

    memset(member, 0, sizeof(*member));
    replica->seat = 100 + number;
    replica->incarnation = 7;
    assert_int_equal(0, address_from_text(VIEW("127.0.0.1:9000"), &replica->address, NULL));
    member->replica = replica;
    member->weight = 1;
    member->id = number + 1;
    snprintf(member->name, sizeof(member->name), "%s", name);
    list_append(&f->crews[0].members, &member->list);
    f->crews[0].count++;
    f->crews[0].is_placed = false;
}

static void draw(struct fixture *f)
{
    struct error why;
    int fd;

    if (picture_build(&f->picture, 42, &fd, &why) < 0)
        fail_msg("%s", why.text);
    assert_int_equal(0, table_map(fd, &f->table, &why));
    close(fd);
}

static int make(void **state)
{
    struct fixture *f = memory_allocate(sizeof(*f));
    struct error why;

    assert_int_equal(0, loop_init(&f->loop, &why));
    f->publish.loop = &f->loop;
    *state = f;
    return 0;
}

static int destroy(void **state)
{
    struct fixture *f = *state;

    table_unmap(f->table);
    for (unsigned i = 0; i < f->config.service_count; i++) {
        balance_builder_destroy(f->crews[i].builder);
        handoff_finish(&f->crews[i].handoff);
    }
    loop_finish(&f->loop);
    listeners_finish(&f->listeners);
    config_finish(&f->config);
    free(f);
    return 0;
}

static void limits_are_shared_among_the_workers(void **state)
{
    struct fixture *f = *state;

    load(f, "limits: {connections: 18, header-bytes: 16KiB, body-bytes: 1MiB,"
            " header-timeout: 3s, idle-timeout: 7s, buffered-total: 400MiB}\n"
            "services: [{name: web}]\n");
    draw(f);
    assert_int_equal(42, f->table->epoch);
    assert_int_equal(5, f->table->settings.connections_max);
    assert_int_equal(16 * 1024, f->table->settings.header_bytes);
    assert_int_equal(1024 * 1024, f->table->settings.body_bytes);
    assert_int_equal(3000, f->table->settings.header_timeout_ms);
    assert_int_equal(7000, f->table->settings.idle_timeout_ms);
    assert_int_equal(100 * 1024 * 1024, f->table->settings.buffered_bytes);
}

static void a_service_brings_its_rules_and_keys(void **state)
{
    struct fixture *f = *state;
    const struct table_service *service;

    load(f, "services:\n"
            "  - name: web\n"
            "    match: {host: example.org, path: /api}\n"
            "    expose-replica: true\n"
            "    hold: 444ms\n"
            "    balance: {key: [\"cookie:session\", client-ip], bound: 1.25, bound-floor: 9}\n"
            "    timeouts: {connect: 111ms, response: 222ms, idle: 333ms}\n"
            "    retries: {attempts: 5, budget: 10%, body: 1KiB}\n");
    draw(f);
    service = &table_services(f->table)[0];
    assert_string_equal("web", service->name);
    assert_true(view_equals(table_text(f->table, service->host), VIEW("example.org")));
    assert_true(view_equals(table_text(f->table, service->path), VIEW("/api")));
    assert_int_equal(2, service->key_count);
    assert_int_equal(TABLE_KEY_COOKIE, service->keys[0].kind);
    assert_true(view_equals(table_text(f->table, service->keys[0].text), VIEW("session")));
    assert_int_equal(TABLE_KEY_CLIENT_IP, service->keys[1].kind);
    assert_int_equal(111, service->rules.connect_ms);
    assert_int_equal(222, service->rules.response_ms);
    assert_int_equal(333, service->rules.idle_ms);
    assert_int_equal(5, service->rules.attempts);
    assert_int_equal(100, service->rules.retry_permille);
    assert_int_equal(1024, service->rules.retry_body_bytes);
    assert_int_equal(125, service->rules.bound);
    assert_int_equal(9, service->rules.bound_floor);
    assert_int_equal(1, service->rules.exposes_replica);
    assert_int_equal(444, service->rules.hold_ms);
}

static void a_listener_reaches_the_services_it_names(void **state)
{
    struct fixture *f = *state;

    load(f, "listen:\n"
            "  - {address: \"127.0.0.1:5000\"}\n"
            "  - {address: \"192.0.2.1:5000\", services: [api]}\n"
            "services: [{name: web}, {name: api}]\n");
    draw(f);
    assert_int_equal(2, f->table->listener_count);
    assert_int_equal(3, f->table->listeners[0].services[0]);
    assert_int_equal(1, f->table->listeners[0].is_loopback);
    assert_int_equal(2, f->table->listeners[1].services[0]);
    assert_int_equal(0, f->table->listeners[1].is_loopback);
}

static void members_stand_in_the_order_of_the_image(void **state)
{
    struct fixture *f = *state;
    struct crew_member members[3];
    const struct table_service *service;
    const struct table_replica *replicas;

    load(f, "services: [{name: web}]\n");
    add_member(f, &members[0], 0, "zebra");
    add_member(f, &members[1], 1, "ant");
    add_member(f, &members[2], 2, "mole");
    draw(f);
    service = &table_services(f->table)[0];
    replicas = table_replicas(f->table, service);
    assert_int_equal(3, service->replica_count);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(members[i].name, replicas[i].name);
        assert_string_equal(members[i].name, balance_name(table_image(f->table, service), i));
        assert_int_equal(100 + i, replicas[i].seat);
        assert_int_equal(7, replicas[i].incarnation);
        assert_int_equal(9000, address_port(&replicas[i].address));
    }
}

static void a_heal_keeps_the_digest_and_another_member_does_not(void **state)
{
    struct fixture *f = *state;
    struct crew_member members[3];
    char before[TABLE_DIGEST_TEXT_BYTES];

    load(f, "services: [{name: web}]\n");
    add_member(f, &members[0], 0, "a");
    add_member(f, &members[1], 1, "b");
    draw(f);
    memcpy(before, f->table->digest, sizeof(before));
    table_unmap(f->table);
    f->replicas[0].incarnation = 8;
    address_set_port(&f->replicas[0].address, 9001);
    draw(f);
    assert_string_equal(before, f->table->digest);
    assert_int_equal(9001,
                     address_port(&table_replicas(f->table, table_services(f->table))->address));
    table_unmap(f->table);
    add_member(f, &members[2], 2, "c");
    draw(f);
    assert_string_not_equal(before, f->table->digest);
}

static void classic_draws_six_digits_and_uses_its_functions(void **state)
{
    struct fixture *f = *state;
    const struct table_service *service;
    struct balance_options options;

    load(f, "services:\n"
            "  - {name: web, balance: {scheme: classic, slots: 256, virtual: 4,"
            " request_hash: mix32, server_hash: fnv1a}}\n");
    draw(f);
    service = &table_services(f->table)[0];
    assert_string_equal("classic", balance_scheme(table_image(f->table, service)));
    assert_int_equal(TABLE_KEY_RANDOM, service->keys[service->key_count - 1].kind);
    assert_int_equal(6, service->keys[service->key_count - 1].number);
    options = picture_balance_options(&f->config.services[0]);
    assert_int_equal(256, options.slots);
    assert_int_equal(4, options.virtual_servers);
    assert_string_equal("mix32", options.request_hash);
    assert_string_equal("fnv1a", options.server_hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_are_shared_among_the_workers, make, destroy),
        cmocka_unit_test_setup_teardown(a_service_brings_its_rules_and_keys, make, destroy),
        cmocka_unit_test_setup_teardown(a_listener_reaches_the_services_it_names, make, destroy),
        cmocka_unit_test_setup_teardown(members_stand_in_the_order_of_the_image, make, destroy),
        cmocka_unit_test_setup_teardown(a_heal_keeps_the_digest_and_another_member_does_not, make,
                                        destroy),
        cmocka_unit_test_setup_teardown(classic_draws_six_digits_and_uses_its_functions, make,
                                        destroy),
    };

    return cmocka_run_group_tests_name("control/picture", tests, NULL, NULL);
}
