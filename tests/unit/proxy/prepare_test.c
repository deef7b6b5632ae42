#include "rig.h"

#define TEXT_BYTES (128 * 1024)

static const struct table_key_spec json_keys[] = {
    {.kind = TABLE_KEY_HEADER, .text = "X-User"},
    {.kind = TABLE_KEY_JSON, .text = "/user/id"},
    {.kind = TABLE_KEY_HEADER, .text = "X-Request-ID"},
    {.kind = TABLE_KEY_RANDOM},
};

static void start(struct rig *rig)
{
    rig_start(rig, 8, TABLE_COMPAT_OFF);
    rig->keys = json_keys;
    rig->key_count = ARRAY_SIZE(json_keys);
    rig_publish(rig);
}

/* Sends a request in two parts, answers it, and says which replica got it. */
static unsigned replica_of(struct rig *rig, const char *first, const char *second, char *text)
{
    int client = rig_client(rig);
    unsigned which;
    int replica;

    rig_send(client, first);
    rig_turns(rig, 3);
    if (*second)
        rig_send(client, second);
    replica = rig_accept(rig, &which);
    rig_receive(rig, replica, text, TEXT_BYTES, "end");
    rig_send(replica, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    rig_receive(rig, client, text + TEXT_BYTES / 2, TEXT_BYTES / 2, "ok");
    close(replica);
    close(client);
    return which;
}

static unsigned owner_of(const struct rig *rig, struct view key)
{
    return balance_owner(rig->image, balance_hash(rig->image, key, NULL), 0, NULL);
}

#define HEAD    "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n"
#define BODY_42 "{\"user\":{\"id\":\"42\"}}   end"

static void a_key_in_the_body_places_the_request(void **state)
{
    static char text[TEXT_BYTES];
    struct rig rig;

    (void)state;
    start(&rig);
    assert_int_equal(replica_of(&rig, HEAD "\r\n" BODY_42, "", text), owner_of(&rig, VIEW("42")));
    /* No id is drawn for a request that has a key. */
    assert_null(strstr(text, "X-Request-ID"));
    assert_non_null(strstr(text, "\r\n\r\n" BODY_42));
    rig_stop(&rig);
}

static void it_does_so_however_the_request_is_cut(void **state)
{
    static char text[TEXT_BYTES];
    const char *whole = HEAD "\r\n" BODY_42;
    struct rig rig;

    (void)state;
    start(&rig);
    for (size_t cut = 1; cut < strlen(whole); cut += 3) {
        char first[256];

        memcpy(first, whole, cut);
        first[cut] = 0;
        assert_int_equal(replica_of(&rig, first, whole + cut, text), owner_of(&rig, VIEW("42")));
    }
    rig_stop(&rig);
}

static void a_source_before_the_body_wins(void **state)
{
    static char text[TEXT_BYTES];
    struct rig rig;

    (void)state;
    start(&rig);
    assert_int_equal(replica_of(&rig, HEAD "X-User: ann\r\n\r\n" BODY_42, "", text),
                     owner_of(&rig, VIEW("ann")));
    rig_stop(&rig);
}

static void without_a_key_in_the_body_the_next_source_counts(void **state)
{
    static char text[TEXT_BYTES];
    struct rig rig;

    (void)state;
    start(&rig);
    assert_int_equal(replica_of(&rig,
                                "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n"
                                "X-Request-ID: r7\r\n\r\nno json",
                                "end", text),
                     owner_of(&rig, VIEW("r7")));
    /* Nothing else is there: the drawn key is sent on as the request's id. */
    replica_of(&rig, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{\"a\":", "1end",
               text);
    assert_non_null(strstr(text, "\r\nX-Request-ID: "));
    assert_non_null(strstr(text, "\r\n\r\n{\"a\":1end"));
    rig_stop(&rig);
}

static void only_the_beginning_of_a_long_body_is_looked_at(void **state)
{
    static char request[TEXT_BYTES];
    static char text[TEXT_BYTES];
    const char *tail = "\",\"user\":{\"id\":\"42\"}}   end";
    const int filler = JSON_POINTER_BYTES_MAX;
    struct rig rig;
    int size;

    (void)state;
    start(&rig);
    size = snprintf(
        request, sizeof(request),
        "POST /a HTTP/1.1\r\nHost: a\r\nX-Request-ID: r7\r\nContent-Length: %d\r\n\r\n{\"x\":\"",
        6 + filler + (int)strlen(tail));
    memset(request + size, 'x', (size_t)filler);
    strcpy(request + size + filler, tail);
    assert_int_equal(replica_of(&rig, request, "", text), owner_of(&rig, VIEW("r7")));
    rig_stop(&rig);
}

/* A pool of eight that had seven: what its newest member is asked says who was asked before. */
static void a_replica_is_told_who_owned_its_new_slot(void **state)
{
    static char text[TEXT_BYTES];
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member members[8];
    struct balance_image *previous;
    struct error why;
    unsigned moved = 0;
    struct rig rig;

    (void)state;
    rig_start(&rig, 8, TABLE_COMPAT_OFF);
    for (unsigned i = 0; i < 7; i++)
        members[i] = (struct balance_member){rig.replicas[i].name, 1, i + 1};
    assert_int_equal(balance_build(&options, members, 7, &previous, &why), 0);
    rig.previous = previous;
    rig_publish(&rig);
    for (int i = 0; i < 60; i++) {
        char request[256];
        char field[128];
        char key[16];
        unsigned before;
        unsigned now;

        snprintf(key, sizeof(key), "key-%d", i);
        snprintf(
            request, sizeof(request),
            "POST / HTTP/1.1\r\nHost: a\r\nX-Roost-Previous-Owner: forged\r\nX-Request-ID: %s\r\n"
            "Content-Length: 3\r\n\r\nend",
            key);
        now = replica_of(&rig, request, "", text);
        before = balance_owner(previous, balance_hash(previous, view_of(key), NULL), 0, NULL);
        assert_null(strstr(text, "forged"));
        snprintf(field, sizeof(field), "\r\nX-Roost-Previous-Owner: %s\r\n", members[before].name);
        if (now == before)
            assert_null(strstr(text, "X-Roost-Previous-Owner"));
        else
            assert_non_null(strstr(text, field));
        moved += now != before;
    }
    assert_in_range(moved, 1, 30);
    rig_stop(&rig);
    balance_destroy(previous);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_in_the_body_places_the_request),
        cmocka_unit_test(it_does_so_however_the_request_is_cut),
        cmocka_unit_test(a_source_before_the_body_wins),
        cmocka_unit_test(without_a_key_in_the_body_the_next_source_counts),
        cmocka_unit_test(only_the_beginning_of_a_long_body_is_looked_at),
        cmocka_unit_test(a_replica_is_told_who_owned_its_new_slot),
    };

    return cmocka_run_group_tests_name("proxy/prepare", tests, NULL, NULL);
}
