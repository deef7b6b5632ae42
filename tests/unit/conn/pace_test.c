#include "rig.h"

#include "conn/inbound.h"

#define HEADER_MS 10000
#define IDLE_MS   10000
#define PACE      100 /* bytes a second: 1,000 in each stretch */

struct fixture {
    struct rig rig;
    struct inbound_group group;
    struct heard heard;
    bool answers_at_once;
    unsigned requests;
    uint16_t refused;
};

static void on_request(struct inbound *inbound, struct stream *stream, const struct head *head)
{
    struct fixture *f = inbound->group->owner;

    (void)head;
    f->requests++;
    if (f->answers_at_once) {
        inbound_answer(stream, 200, VIEW(""), VIEW("ok"));
        return;
    }
    f->heard.stream = stream;
    stream_hold(stream, &heard_events, &f->heard);
}

static void on_refused(struct inbound *inbound, uint16_t status, const char *reason,
                       struct view *fields, struct view *body)
{
    struct fixture *f = inbound->group->owner;

    f->refused = status;
    *fields = VIEW("");
    *body = view_of(reason);
}

static const struct inbound_events events = {.on_request = on_request, .on_refused = on_refused};

static void start(struct fixture *f)
{
    const struct inbound_settings settings = {
        .limits = {.head_bytes = 1024, .fields = 32},
        .body_bytes_max = UINT64_MAX,
        .header_timeout_ms = HEADER_MS,
        .idle_timeout_ms = IDLE_MS,
        .connections_max = 2,
        .pace = PACE,
    };

    memset(f, 0, sizeof(*f));
    rig_init(&f->rig);
    heard_init(&f->heard);
    inbound_group_init(&f->group, &f->rig.socks, &events, &settings, f);
}

static void end(struct fixture *f)
{
    inbound_group_abort(&f->group);
    rig_turns(&f->rig, 3);
    inbound_group_finish(&f->group);
    heard_finish(&f->heard);
    rig_finish(&f->rig);
}

static int connect_client(struct fixture *f)
{
    struct address address = {.size = 0};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(address_from_ip(VIEW("127.0.0.1"), 1234, &address), 0);
    inbound_open(&f->group, ends[1], &address, 0);
    return ends[0];
}

static int begin_upload(struct fixture *f)
{
    int client;

    start(f);
    client = connect_client(f);
    rig_send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    rig_turns(&f->rig, 2);
    assert_int_equal(f->requests, 1);
    return client;
}

static void send_bytes(int client, size_t count)
{
    static const char bytes[4096];

    assert_int_equal(send(client, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
}

static void a_body_that_trickles_is_cut_at_its_deadline(void **state)
{
    struct fixture f;
    int client = begin_upload(&f);

    (void)state;
    for (unsigned second = 0; second < 9; second++) {
        send_bytes(client, 50);
        rig_pass(&f.rig, 1000);
        assert_int_equal(f.refused, 0);
    }
    send_bytes(client, 50);
    rig_pass(&f.rig, 1100);
    assert_int_equal(f.refused, 408);
    assert_int_equal(f.heard.failure, STREAM_TIMED_OUT);
    close(client);
    end(&f);
}

static void a_body_at_the_rate_is_never_cut(void **state)
{
    struct fixture f;
    int client = begin_upload(&f);

    (void)state;
    for (unsigned second = 0; second < 60; second++) {
        send_bytes(client, PACE + 20);
        rig_pass(&f.rig, 1000);
        assert_int_equal(f.refused, 0);
    }
    assert_int_equal(buffer_size(&f.heard.body), 60 * (PACE + 20));
    close(client);
    end(&f);
}

static void a_body_that_stops_after_it_was_fast_is_cut_one_stretch_later(void **state)
{
    struct fixture f;
    int client = begin_upload(&f);

    (void)state;
    rig_pass(&f.rig, IDLE_MS - 1000);
    send_bytes(client, 4096);
    rig_pass(&f.rig, IDLE_MS - 500);
    assert_int_equal(f.refused, 0);
    rig_pass(&f.rig, 1000);
    assert_int_equal(f.refused, 408);
    close(client);
    end(&f);
}

static void a_client_that_was_kept_waiting_has_a_whole_stretch_from_then_on(void **state)
{
    struct fixture f;
    int client = begin_upload(&f);

    (void)state;
    f.heard.keeps_credit = true;
    send_bytes(client, 10);
    rig_pass(&f.rig, 3 * IDLE_MS - 500);
    assert_int_equal(f.refused, 0);
    stream_consumed(f.heard.stream, f.heard.unconsumed);
    rig_pass(&f.rig, IDLE_MS - 500);
    assert_int_equal(f.refused, 0);
    rig_pass(&f.rig, 1000);
    assert_int_equal(f.refused, 408);
    close(client);
    end(&f);
}

static void without_a_rate_one_byte_in_the_time_is_enough(void **state)
{
    struct fixture f;
    int client = begin_upload(&f);

    (void)state;
    f.group.settings.pace = 0;
    for (unsigned round = 0; round < 20; round++) {
        send_bytes(client, 1);
        rig_pass(&f.rig, IDLE_MS - 1000);
        assert_int_equal(f.refused, 0);
    }
    close(client);
    end(&f);
}

static const char one[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char last[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

static void the_last_request_of_a_connection_is_answered_with_close(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answers_at_once = true;
    f.group.settings.requests_max = 3;
    client = connect_client(&f);
    for (unsigned i = 0; i < 2; i++) {
        rig_send(client, one);
        rig_expect(&f.rig, client, answer);
    }
    rig_send(client, one);
    rig_expect_end(&f.rig, client, last);
    close(client);
    end(&f);
}

static void what_a_client_sent_behind_the_last_request_is_not_answered(void **state)
{
    struct fixture f;
    char twice[sizeof(one) * 2];
    int client;

    (void)state;
    start(&f);
    f.answers_at_once = true;
    f.group.settings.requests_max = 1;
    client = connect_client(&f);
    snprintf(twice, sizeof(twice), "%s%s", one, one);
    rig_send(client, twice);
    rig_expect_end(&f.rig, client, last);
    assert_int_equal(f.requests, 1);
    close(client);
    end(&f);
}

static void a_connection_that_is_too_old_ends_with_its_next_answer(void **state)
{
    struct fixture f;
    int client;

    (void)state;
    start(&f);
    f.answers_at_once = true;
    f.group.settings.lifetime_ms = 20000;
    client = connect_client(&f);
    for (unsigned i = 0; i < 3; i++) {
        rig_send(client, one);
        rig_expect(&f.rig, client, answer);
        rig_pass(&f.rig, 6000);
    }
    rig_pass(&f.rig, 2100);
    rig_send(client, one);
    rig_expect_end(&f.rig, client, last);
    close(client);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_that_trickles_is_cut_at_its_deadline),
        cmocka_unit_test(a_body_at_the_rate_is_never_cut),
        cmocka_unit_test(a_body_that_stops_after_it_was_fast_is_cut_one_stretch_later),
        cmocka_unit_test(a_client_that_was_kept_waiting_has_a_whole_stretch_from_then_on),
        cmocka_unit_test(without_a_rate_one_byte_in_the_time_is_enough),
        cmocka_unit_test(the_last_request_of_a_connection_is_answered_with_close),
        cmocka_unit_test(what_a_client_sent_behind_the_last_request_is_not_answered),
        cmocka_unit_test(a_connection_that_is_too_old_ends_with_its_next_answer),
    };

    return cmocka_run_group_tests_name("conn/pace", tests, NULL, NULL);
}
