#include "rig.h"

#include "conn/inbound.h"
#include "conn/shed.h"

#define COUNT 3

struct fixture {
    struct rig rig;
    struct inbound_group group;
    struct heard heard[COUNT];
    struct inbound *inbounds[COUNT];
    int clients[COUNT];
    unsigned requests;
};

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct fixture *f = inbound->group->owner;

    (void)head;
    f->inbounds[f->requests] = inbound;
    f->heard[f->requests].stream = stream;
    stream_hold(stream, &heard_events, &f->heard[f->requests++]);
}

static const struct inbound_events events = {.on_request = on_request};

/* As many clients as there may be, each of which has said that. */
static void start_saying(struct fixture *f, const char *text)
{
    const struct inbound_settings settings = {
        .limits = {.head_bytes = 32768, .fields = 32},
        .body_bytes_max = UINT64_MAX,
        .header_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .connections_max = COUNT,
    };

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    inbound_group_init(&f->group, &f->rig.socks, &events, &settings, f);
    for (unsigned i = 0; i < COUNT; i++) {
        struct address address;
        int ends[2];

        heard_init(&f->heard[i]);
        assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1, &address), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        f->clients[i] = ends[0];
        inbound_open(&f->group, ends[1], &address, 0);
        rig_send(ends[0], text);
        rig_turns(&f->rig, 2);
    }
}

/* ... a request that is not answered yet. */
static void start(struct fixture *f)
{
    start_saying(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(f->requests, COUNT);
}

static void end(struct fixture *f)
{
    inbound_group_abort(&f->group);
    for (unsigned i = 0; i < COUNT; i++)
        close(f->clients[i]);
    rig_turns(&f->rig, 3);
    inbound_group_finish(&f->group);
    for (unsigned i = 0; i < COUNT; i++)
        heard_finish(&f->heard[i]);
    rig_finish(&f->rig);
}

/* Writes until so much waits for that client. */
static void make_wait(struct fixture *f, unsigned which, size_t size)
{
    static const char bytes[16384];
    const struct stream_head head = {
        .text = VIEW("HTTP/1.1 200 OK\r\n"), .body = {FRAMING_LENGTH, 100000000}, .status = 200};
    struct stream *stream = f->heard[which].stream;

    stream_send_head(stream, &head);
    while (stream_queued(stream) < size)
        stream_send_body(stream, (struct view){bytes, sizeof(bytes)});
}

static void who_waits_for_most_is_let_go_until_there_is_room(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    make_wait(&f, 0, 50000);
    make_wait(&f, 1, 600000);
    make_wait(&f, 2, 60000);
    f.rig.socks.queued_limit = f.rig.socks.queued_bytes;
    assert_true(sock_group_is_full(&f.rig.socks));
    assert_int_equal(shed_slowest(&f.group), 1);
    assert_int_equal(f.heard[1].resets, 1);
    assert_int_equal(f.heard[0].resets + f.heard[2].resets, 0);
    assert_false(sock_group_is_full(&f.rig.socks));
    end(&f);
}

static void where_those_who_wait_for_most_are_not_enough_others_follow(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    make_wait(&f, 0, 600000);
    make_wait(&f, 1, 200000);
    make_wait(&f, 2, 200000);
    f.rig.socks.queued_limit = 300000;
    assert_int_equal(shed_slowest(&f.group), 2);
    assert_int_equal(f.heard[0].resets, 1);
    assert_int_equal(f.heard[1].resets + f.heard[2].resets, 1);
    assert_false(sock_group_is_full(&f.rig.socks));
    end(&f);
}

static void nobody_is_let_go_who_waits_for_little(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.rig.socks.queued_limit = 0;
    assert_int_equal(shed_slowest(&f.group), 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(f.heard[i].resets, 0);
    end(&f);
}

static void the_one_whose_bytes_are_being_taken_stays(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    make_wait(&f, 0, 600000);
    make_wait(&f, 1, 500000);
    f.inbounds[0]->is_processing = true;
    f.rig.socks.queued_limit = f.rig.socks.queued_bytes;
    assert_int_equal(shed_slowest(&f.group), 1);
    assert_int_equal(f.heard[0].resets, 0);
    assert_int_equal(f.heard[1].resets, 1);
    f.inbounds[0]->is_processing = false;
    end(&f);
}

/* So much of a head that is not whole comes from that client. */
static void send_part_of_a_head(struct fixture *f, unsigned which, unsigned size)
{
    char text[32768];

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d", (int)size, 0);
    rig_send(f->clients[which], text);
    rig_turns(&f->rig, 2);
}

static bool was_told_503(struct fixture *f, unsigned which)
{
    char text[64] = "";

    rig_turns(&f->rig, 2);
    return recv(f->clients[which], text, sizeof(text) - 1, 0) > 0 &&
           strncmp(text, "HTTP/1.1 503 ", 13) == 0;
}

static void whose_unfinished_head_is_longest_is_told_503(void **state)
{
    struct fixture f;

    (void)state;
    start_saying(&f, "");
    send_part_of_a_head(&f, 0, 2000);
    send_part_of_a_head(&f, 1, 20000);
    send_part_of_a_head(&f, 2, 2000);
    f.rig.socks.queued_limit = f.rig.socks.kept_bytes - 1;
    assert_true(sock_group_keeps_too_much(&f.rig.socks));
    assert_int_equal(shed_unfinished(&f.group), 1);
    assert_false(sock_group_keeps_too_much(&f.rig.socks));
    assert_true(was_told_503(&f, 1));
    assert_false(was_told_503(&f, 0));
    assert_false(was_told_503(&f, 2));
    end(&f);
}

static void where_many_keep_little_who_comes_last_is_told_503(void **state)
{
    struct fixture f;

    (void)state;
    start_saying(&f, "");
    send_part_of_a_head(&f, 0, 1000);
    send_part_of_a_head(&f, 1, 1000);
    f.rig.socks.queued_limit = f.rig.socks.kept_bytes;
    send_part_of_a_head(&f, 2, 1000);
    assert_false(was_told_503(&f, 0));
    assert_false(was_told_503(&f, 1));
    assert_true(was_told_503(&f, 2));
    assert_false(sock_group_keeps_too_much(&f.rig.socks));
    end(&f);
}

static void a_next_request_that_takes_too_much_ends_its_connection(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.rig.socks.queued_limit = 6000;
    send_part_of_a_head(&f, 1, 20000);
    assert_int_equal(f.heard[1].resets, 1);
    assert_int_equal(f.heard[0].resets + f.heard[2].resets, 0);
    assert_int_equal(f.rig.socks.kept_bytes, 0);
    end(&f);
}

static void a_trailer_section_that_takes_too_much_is_told_503(void **state)
{
    struct fixture f;

    (void)state;
    start_saying(&f, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y");
    assert_int_equal(f.requests, COUNT);
    f.rig.socks.queued_limit = f.rig.socks.kept_bytes;
    rig_send(f.clients[1], "yyyy");
    rig_turns(&f.rig, 2);
    assert_int_equal(f.heard[1].resets, 0);
    f.rig.socks.queued_limit--;
    rig_send(f.clients[1], "yyyy");
    rig_turns(&f.rig, 2);
    assert_int_equal(f.heard[1].resets, 1);
    assert_true(was_told_503(&f, 1));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_for_most_is_let_go_until_there_is_room),
        cmocka_unit_test(where_those_who_wait_for_most_are_not_enough_others_follow),
        cmocka_unit_test(nobody_is_let_go_who_waits_for_little),
        cmocka_unit_test(the_one_whose_bytes_are_being_taken_stays),
        cmocka_unit_test(whose_unfinished_head_is_longest_is_told_503),
        cmocka_unit_test(where_many_keep_little_who_comes_last_is_told_503),
        cmocka_unit_test(a_next_request_that_takes_too_much_ends_its_connection),
        cmocka_unit_test(a_trailer_section_that_takes_too_much_is_told_503),
    };

    return cmocka_run_group_tests_name("conn/shed", tests, NULL, NULL);
}
