/*
 * Any bytes of a replica, cut anywhere, as the answer to one of several requests. Whole and cut are
 * told as the same events; a connection is kept for the next request only if a reader of this
 * file's own, which knows nothing of the program's, finds the answer whole and nothing behind it;
 * and the next request on it gets its own answer. The first byte of an input chooses the request,
 * the second the cuts.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "insist.h"
#include "base/clock.h"
#include "conn/outbound.h"

#define NOW_US          UINT64_C(1000000000)
#define PLACE           3
#define INPUT_BYTES_MAX (16 * 1024)
#define HEAD_LIMIT      2048
#define CUTS_MAX        8
#define TURNS           4
#define TEXT_BYTES      (64 * 1024)

static struct loop loop;
static struct sock_group socks;
static struct outbound_pool pool;
static bool is_started;

/* What the holder of a stream was told, in one form for all ways it can be cut. */
struct told {
    char text[TEXT_BYTES];
    size_t size;
    char body[TEXT_BYTES];
    size_t body_bytes;
    bool is_tunnel;
    bool is_over;
    bool is_whole;
};

struct request {
    enum method method;
    const char *text;
    const char *body;
    bool asks_upgrade;
};

static const struct request requests[] = {
    {METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\n", "", false},
    {METHOD_HEAD, "HEAD / HTTP/1.1\r\nHost: a\r\n", "", false},
    {METHOD_POST, "POST / HTTP/1.1\r\nHost: a\r\n", "abc", false},
    {METHOD_GET, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n", "", true},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the holder ---- */

static void note(struct told *told, struct view bytes)
{
    INSIST(told->size + bytes.size <= sizeof(told->text));
    if (bytes.size)
        memcpy(told->text + told->size, bytes.data, bytes.size);
    told->size += bytes.size;
}

static void note_fields(struct told *told, const struct field *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        note(told, fields[i].is_dropped ? VIEW("-") : VIEW("+"));
        note(told, fields[i].name);
        note(told, VIEW(":"));
        note(told, fields[i].value);
        note(told, VIEW("\n"));
    }
}

static void note_head(struct told *told, const char *kind, const struct head *head)
{
    char line[64];

    snprintf(line, sizeof(line), "%s %u %d %llu\n", kind, head->status, (int)head->body.kind,
             (unsigned long long)head->body.length);
    note(told, view_of(line));
    note(told, head->reason);
    note_fields(told, head->fields, head->field_count);
}

static void on_interim(struct stream *stream, const struct head *head)
{
    struct told *told = stream->holder;

    INSIST(!told->is_over && head->status >= 100 && head->status < 200 && head->status != 101);
    note_head(told, "interim", head);
}

static void on_head(struct stream *stream, const struct head *head)
{
    struct told *told = stream->holder;

    INSIST(!told->is_over && (head->status >= 200 || head->status == 101));
    told->is_tunnel = head->body.kind == FRAMING_TUNNEL;
    note_head(told, "head", head);
}

static void on_body(struct stream *stream, struct view bytes)
{
    struct told *told = stream->holder;

    INSIST(!told->is_over && bytes.size);
    INSIST(told->body_bytes + bytes.size <= sizeof(told->body));
    memcpy(told->body + told->body_bytes, bytes.data, bytes.size);
    told->body_bytes += bytes.size;
    stream_consumed(stream, bytes.size);
}

static void on_end(struct stream *stream, const struct field *trailers, unsigned count)
{
    struct told *told = stream->holder;

    INSIST(!told->is_over);
    told->is_over = told->is_whole = true;
    note(told, VIEW("end\n"));
    note_fields(told, trailers, count);
    /* A tunnel has two ends. */
    if (told->is_tunnel)
        stream_send_end(stream, VIEW(""));
}

static void on_drained(struct stream *stream)
{
    (void)stream;
}

static void on_reset(struct stream *stream, enum stream_failure failure, const char *why)
{
    struct told *told = stream->holder;
    char line[160];

    INSIST(!told->is_over && *why);
    told->is_over = true;
    snprintf(line, sizeof(line), "reset %d %s\n", (int)failure, why);
    note(told, view_of(line));
}

static const struct stream_events events = {
    .on_interim = on_interim,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_drained = on_drained,
    .on_reset = on_reset,
};

/* ---- a reader of answers of its own ---- */

/* The value of a field in the lines of a head, or nothing; `count` says how often it is there. */
static struct view value_of(struct view head, const char *name, unsigned *count)
{
    struct view value = {NULL, 0};

    *count = 0;
    while (head.size) {
        struct view line = view_first(head, view_find(head, '\n'));
        size_t colon = view_find(line, ':');

        head = view_after(head, line.size + 1);
        if (colon == line.size || colon != strlen(name) || strncasecmp(line.data, name, colon))
            continue;
        value = view_after(line, colon + 1);
        while (value.size && strchr(" \t\r", value.data[value.size - 1]))
            value.size--;
        while (value.size && strchr(" \t", *value.data))
            value = view_after(value, 1);
        ++*count;
    }
    return value;
}

static size_t number_of(struct view text, unsigned base)
{
    size_t number = 0;

    for (size_t i = 0; i < text.size; i++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *found = text.data[i] ? strchr(digits, text.data[i]) : NULL;
        unsigned digit;

        if (!found)
            break;
        digit = (unsigned)(found - digits);
        digit = digit > 15 ? digit - 6 : digit;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    return number;
}

/* Takes a chunked body and its trailer section off the front. */
static bool skip_chunks(struct view *rest)
{
    for (;;) {
        const char *line = rest->size ? memmem(rest->data, rest->size, "\r\n", 2) : NULL;
        size_t size;

        if (!line)
            return false;
        size = number_of(view_between(rest->data, line), 16);
        *rest = view_between(line + 2, rest->data + rest->size);
        if (!size)
            break;
        if (rest->size < size + 2 || memcmp(rest->data + size, "\r\n", 2) != 0)
            return false;
        *rest = view_after(*rest, size + 2);
    }
    for (;;) {
        const char *line = rest->size ? memmem(rest->data, rest->size, "\r\n", 2) : NULL;
        bool is_last = line == rest->data;

        if (!line)
            return false;
        *rest = view_between(line + 2, rest->data + rest->size);
        if (is_last)
            return true;
    }
}

/* Is it a whole answer, perhaps behind interim ones, and nothing more, whose end is known? */
static bool is_exactly_one(struct view bytes, enum method method)
{
    unsigned status;

    do {
        const char *end = bytes.size ? memmem(bytes.data, bytes.size, "\r\n\r\n", 4) : NULL;
        struct view head = end ? view_between(bytes.data, end + 2) : bytes;
        unsigned codings, lengths;
        struct view coding = value_of(head, "Transfer-Encoding", &codings);
        struct view length = value_of(head, "Content-Length", &lengths);

        if (!end || head.size < 12)
            return false;
        status = (unsigned)number_of((struct view){head.data + 9, 3}, 10);
        bytes = view_between(end + 4, bytes.data + bytes.size);
        if (status < 200)
            continue;
        if (method == METHOD_HEAD || status == 204 || status == 304)
            break;
        if (codings) {
            INSIST(codings == 1 && !lengths && view_equals_nocase(coding, VIEW("chunked")));
            return skip_chunks(&bytes) && !bytes.size;
        }
        INSIST(lengths == 1);
        return bytes.size == number_of(length, 10);
    } while (status < 200);
    return !bytes.size;
}

/* ---- a run ---- */

static void start(void)
{
    static const struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_LIMIT, .fields = 32}, .idle_ms = 4000, .idle_max = 4};
    struct error why;

    clock_set(NOW_US);
    INSIST(loop_init(&loop, &why) == 0);
    sock_group_init(&socks, &loop, 64 << 20);
    outbound_pool_init(&pool, &socks, &settings);
    is_started = true;
}

/* Unix sockets deliver at once. */
static void settle(void)
{
    for (int i = 0; i < TURNS; i++)
        loop_turn(&loop, 0);
}

static void ask(const struct request *request, struct told *told)
{
    const struct outbound_place where = {.place = PLACE, .incarnation = 1};
    struct stream_head head = {.text = view_of(request->text),
                               .body = {*request->body ? FRAMING_CHUNKED : FRAMING_NONE, 0},
                               .method = request->method,
                               .asks_upgrade = request->asks_upgrade};
    struct stream *stream;

    told->size = told->body_bytes = 0;
    told->is_over = told->is_whole = told->is_tunnel = false;
    INSIST(outbound_start(&pool, &where, 500, &events, told, &stream) == 0);
    stream_send_head(stream, &head);
    stream_send_body(stream, view_of(request->body));
    stream_send_end(stream, VIEW(""));
    sock_group_settle(&socks);
}

static void drain(int fd)
{
    char text[4096];

    while (recv(fd, text, sizeof(text), 0) > 0)
        ;
}

/* The connection was kept: the next request on it is answered by what is sent for it. */
static void insist_on_own_answer(int fd)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";
    static struct told told;

    drain(fd);
    ask(&requests[0], &told);
    settle();
    INSIST(!told.is_over && !told.size);
    INSIST(send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == sizeof(answer) - 1);
    settle();
    INSIST(told.is_whole && told.body_bytes == 6 && memcmp(told.body, "second", 6) == 0);
}

/* The bytes, in pieces that end at the cuts (ascending). */
static void play(const struct request *request, struct told *told, struct view bytes,
                 const size_t *cuts, unsigned count)
{
    size_t at = 0;
    int pair[2];

    INSIST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    outbound_adopt(&pool, pair[1], PLACE, 1);
    ask(request, told);
    settle();
    for (unsigned i = 0; i <= count; i++) {
        size_t next = i < count ? cuts[i] : bytes.size;

        if (next > at)
            (void)!send(pair[0], bytes.data + at, next - at, MSG_NOSIGNAL);
        at = next;
        settle();
    }
    note(told, outbound_has_idle(&pool, PLACE) ? VIEW("kept\n") : VIEW("not kept\n"));
    if (outbound_has_idle(&pool, PLACE)) {
        INSIST(told->is_whole && is_exactly_one(bytes, request->method));
        insist_on_own_answer(pair[0]);
    }
    /* What has no other end has this one. */
    shutdown(pair[0], SHUT_WR);
    settle();
    INSIST(told->is_over);
    close(pair[0]);
    settle();
    INSIST(!outbound_has_idle(&pool, PLACE) && !pool.busy_count);
}

static unsigned choose_cuts(uint8_t seed, size_t size, size_t *cuts)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    unsigned count = 0;
    size_t at = 0;

    while (count < CUTS_MAX && size - at > 1) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        at += 1 + (size_t)(state >> 33) % (size - at > 64 && seed % 2 ? 64 : size - at);
        if (at >= size)
            break;
        cuts[count++] = at;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct told whole;
    static struct told cut;
    const struct request *request;
    size_t cuts[CUTS_MAX];
    struct view bytes;
    unsigned count;

    if (!is_started)
        start();
    if (size < 3 || size > INPUT_BYTES_MAX)
        return 0;
    request = &requests[data[0] % ARRAY_SIZE(requests)];
    bytes = (struct view){(const char *)data + 2, size - 2};
    count = choose_cuts(data[1], bytes.size, cuts);
    play(request, &whole, bytes, NULL, 0);
    play(request, &cut, bytes, cuts, count);
    INSIST(view_equals((struct view){whole.text, whole.size}, (struct view){cut.text, cut.size}));
    INSIST(view_equals((struct view){whole.body, whole.body_bytes},
                       (struct view){cut.body, cut.body_bytes}));
    return 0;
}
