#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The real clock: c-ares has no other. Nothing here waits for time to pass. */
#define TURNS_MAX    2000
#define TURN_US      UINT64_C(20000)
#define PACKET_BYTES 4096
#define HEAD_BYTES   12
#define RCODE_OK     0
#define RCODE_FAILED 2
#define RCODE_NONE   3
#define TYPE_A       1
#define TYPE_AAAA    28

/* ---- a server that says what a test wants, in the same loop ---- */

struct server {
    struct watch watch;
    unsigned questions;
    bool is_silent;
    uint8_t four_code, six_code;
    unsigned four_count, six_count;
    uint8_t four[8][4];
    uint8_t six[8][16];
    uint32_t ttls[2];
    char servers[64];
};

static struct loop loop;
static struct server server;
static struct resolver_answer *answer;
static unsigned answers;

static void put(uint8_t *packet, size_t *size, uint32_t value, unsigned bytes)
{
    while (bytes--)
        packet[(*size)++] = (uint8_t)(value >> (8 * bytes));
}

static void put_record(uint8_t *packet, size_t *size, uint16_t type, uint32_t ttl,
                       const uint8_t *data, uint16_t bytes)
{
    put(packet, size, 0xc000 | HEAD_BYTES, 2); /* the question's name */
    put(packet, size, type, 2);
    put(packet, size, 1, 2);
    put(packet, size, ttl, 4);
    put(packet, size, bytes, 2);
    memcpy(packet + *size, data, bytes);
    *size += bytes;
}

/* Turns the question in `packet` into its answer; its size. */
static size_t reply(uint8_t *packet, size_t size)
{
    size_t end = HEAD_BYTES;
    bool is_six;
    unsigned count;

    while (packet[end])
        end += packet[end] + 1u;
    end += 5; /* the zero, type and class */
    assert_true(end <= size);
    is_six = packet[end - 3] == TYPE_AAAA;
    assert_true(is_six || packet[end - 3] == TYPE_A);
    count = is_six ? server.six_count : server.four_count;
    packet[2] = 0x85;
    packet[3] = (uint8_t)(0x80 | (is_six ? server.six_code : server.four_code));
    packet[6] = (uint8_t)(count >> 8);
    packet[7] = (uint8_t)count;
    memset(packet + 8, 0, 4);
    size = end;
    for (unsigned i = 0; i < count; i++) {
        if (is_six)
            put_record(packet, &size, TYPE_AAAA, server.ttls[1], server.six[i], 16);
        else
            put_record(packet, &size, TYPE_A, server.ttls[0], server.four[i], 4);
    }
    return size;
}

static void on_question(struct watch *watch, uint32_t events)
{
    struct sockaddr_in from;
    socklen_t from_size = sizeof(from);
    uint8_t packet[PACKET_BYTES];
    ssize_t size =
        recvfrom(watch->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_size);

    (void)events;
    assert_true(size > HEAD_BYTES);
    server.questions++;
    if (server.is_silent)
        return;
    size = (ssize_t)reply(packet, (size_t)size);
    assert_int_equal(
        size, sendto(watch->fd, packet, (size_t)size, 0, (struct sockaddr *)&from, from_size));
}

static int begin(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);

    (void)state;
    server = (struct server){.ttls = {300, 300}};
    answer = calloc(1, sizeof(*answer));
    answers = 0;
    assert_int_equal(0, loop_init(&loop, NULL));
    server.watch.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(server.watch.fd, (struct sockaddr *)&address, size));
    assert_int_equal(0, getsockname(server.watch.fd, (struct sockaddr *)&address, &size));
    snprintf(server.servers, sizeof(server.servers), "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(0, loop_add(&loop, &server.watch, EPOLLIN, on_question));
    return 0;
}

static int end(void **state)
{
    (void)state;
    loop_remove(&loop, &server.watch);
    close(server.watch.fd);
    loop_turn(&loop, 0);
    loop_finish(&loop);
    free(answer);
    return 0;
}

static void on_answer(void *owner, const struct resolver_answer *given)
{
    assert_ptr_equal(&server, owner);
    *answer = *given;
    answers++;
}

static void ask(const char *host)
{
    assert_non_null(resolver_ask(&loop, server.servers, host, 8080, on_answer, &server));
    assert_int_equal(0, answers);
    for (unsigned i = 0; i < TURNS_MAX && answers == 0; i++)
        loop_turn(&loop, TURN_US);
    assert_int_equal(1, answers);
}

static void say_four(const char *list)
{
    char text[256];

    snprintf(text, sizeof(text), "%s", list);
    for (char *ip = strtok(text, " "); ip; ip = strtok(NULL, " "))
        assert_int_equal(1, inet_pton(AF_INET, ip, server.four[server.four_count++]));
}

static void say_six(const char *list)
{
    char text[256];

    snprintf(text, sizeof(text), "%s", list);
    for (char *ip = strtok(text, " "); ip; ip = strtok(NULL, " "))
        assert_int_equal(1, inet_pton(AF_INET6, ip, server.six[server.six_count++]));
}

static void expect(enum resolver_family family, const char *list)
{
    char text[512] = "";

    for (unsigned i = 0; i < answer->found[family].count; i++) {
        size_t size = strlen(text);

        if (size)
            text[size++] = ' ';
        address_to_text(&answer->found[family].addresses[i], text + size);
    }
    assert_string_equal(list, text);
}

/* ---- the tests ---- */

static void both_families_are_found_without_order_and_doubles(void **state)
{
    (void)state;
    say_four("10.0.0.9 10.0.0.1 9.255.0.1 10.0.0.9");
    say_six("fd00::2 fd00::1 fd00::2");
    server.ttls[1] = 77;
    ask("app.test");
    expect(RESOLVER_IPV4, "9.255.0.1:8080 10.0.0.1:8080 10.0.0.9:8080");
    expect(RESOLVER_IPV6, "[fd00::1]:8080 [fd00::2]:8080");
    assert_int_equal(77, answer->ttl_s);
    assert_false(answer->is_local);
    assert_int_equal(2, server.questions);
}

static void a_family_that_a_name_has_not_is_no_failure(void **state)
{
    (void)state;
    say_four("10.0.0.1");
    server.ttls[0] = 0;
    ask("app.test.");
    assert_int_equal(0, answer->found[RESOLVER_IPV4].result);
    assert_int_equal(-ENODATA, answer->found[RESOLVER_IPV6].result);
    assert_int_equal(0, answer->ttl_s);
}

static void a_name_that_is_not_there_has_neither(void **state)
{
    (void)state;
    server.four_code = server.six_code = RCODE_NONE;
    ask("app.test.");
    assert_int_equal(-ENODATA, answer->found[RESOLVER_IPV4].result);
    assert_int_equal(-ENODATA, answer->found[RESOLVER_IPV6].result);
    assert_string_not_equal("", answer->why);
}

static void a_server_that_fails_says_nothing_about_the_name(void **state)
{
    (void)state;
    say_four("10.0.0.1");
    server.six_code = RCODE_FAILED;
    ask("app.test.");
    assert_int_equal(0, answer->found[RESOLVER_IPV4].result);
    assert_true(answer->found[RESOLVER_IPV6].result < 0);
    assert_int_not_equal(-ENODATA, answer->found[RESOLVER_IPV6].result);
    assert_string_not_equal("", answer->why);
}

static void addresses_that_no_host_has_are_passed_over(void **state)
{
    (void)state;
    say_four("0.0.0.0 0.1.2.3 224.0.0.1 255.255.255.255 127.0.0.5");
    say_six(":: ff02::1 fe80::1 ::ffff:10.0.0.1 ::10.0.0.1 ::1");
    ask("app.test");
    expect(RESOLVER_IPV4, "127.0.0.5:8080");
    expect(RESOLVER_IPV6, "[::1]:8080");
}

static void the_hosts_file_is_asked_first_and_alone(void **state)
{
    (void)state;
    ask("localhost");
    assert_true(answer->is_local);
    assert_true(answer->found[RESOLVER_IPV4].count + answer->found[RESOLVER_IPV6].count > 0);
    assert_int_equal(0, server.questions);
}

static void a_server_that_is_not_there_is_a_failure(void **state)
{
    (void)state;
    /* Nobody listens there any more: the kernel says so at once. */
    loop_remove(&loop, &server.watch);
    close(server.watch.fd);
    ask("app.test");
    assert_true(answer->found[RESOLVER_IPV4].result < 0);
    assert_int_not_equal(-ENODATA, answer->found[RESOLVER_IPV4].result);
    assert_string_not_equal("", answer->why);
    server.watch.fd = -1;
}

static void servers_that_are_none_are_a_failure(void **state)
{
    (void)state;
    snprintf(server.servers, sizeof(server.servers), "no server");
    ask("app.test");
    assert_true(answer->found[RESOLVER_IPV4].result < 0);
    assert_true(answer->found[RESOLVER_IPV6].result < 0);
}

static void a_question_that_was_cancelled_is_not_answered(void **state)
{
    struct resolver *resolver =
        resolver_ask(&loop, server.servers, "app.test", 80, on_answer, &server);

    (void)state;
    resolver_cancel(resolver);
    server.is_silent = true;
    resolver = resolver_ask(&loop, server.servers, "app.test", 80, on_answer, &server);
    server.questions = 0;
    for (unsigned i = 0; i < TURNS_MAX && server.questions == 0; i++)
        loop_turn(&loop, TURN_US);
    assert_int_not_equal(0, server.questions);
    resolver_cancel(resolver);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(&loop, 1000);
    assert_int_equal(0, answers);
    resolver_cancel(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(both_families_are_found_without_order_and_doubles),
        TEST(a_family_that_a_name_has_not_is_no_failure),
        TEST(a_name_that_is_not_there_has_neither),
        TEST(a_server_that_fails_says_nothing_about_the_name),
        TEST(addresses_that_no_host_has_are_passed_over),
        TEST(the_hosts_file_is_asked_first_and_alone),
        TEST(a_server_that_is_not_there_is_a_failure),
        TEST(servers_that_are_none_are_a_failure),
        TEST(a_question_that_was_cancelled_is_not_answered),
    };

    return cmocka_run_group_tests_name("net/resolver", tests, NULL, NULL);
}
