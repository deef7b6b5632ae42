#include "proxy/access_log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/escape.h"
#include "base/memory.h"

#define LOG_MODE 0640

/* Most bytes a pipe or socket is offered in one turn: what a pipe of the usual size holds. */
#define TURN_BYTES_MAX (64 * 1024)

/*
 * Most bytes of each value as written, escapes included. Their sum and the names fit into a line
 * whatever comes, so nothing below needs to look for the end of the ring.
 */
#define TARGET_BYTES (2 * ACCESS_LOG_TARGET_BYTES)
#define TEXT_BYTES   256 /* host, request id: from outside */
#define SHORT_BYTES  128 /* method, names of replica and service, IP, why, failure */
#define NUMBER_BYTES 20
#define NAMES_BYTES  256 /* all names with quotes, commas and braces */

_Static_assert(TARGET_BYTES + 2 * TEXT_BYTES + 6 * SHORT_BYTES + 10 * NUMBER_BYTES +
                       CLOCK_TEXT_BYTES + NAMES_BYTES <=
                   ACCESS_LOG_LINE_BYTES_MAX,
               "a line fits");
_Static_assert(ACCESS_LOG_LINE_BYTES_MAX <= PIPE_BUF, "a pipe takes a line whole");

/* ---- a line ---- */

/* Where the next byte goes. */
struct line {
    char *at;
    bool is_json;
};

static inline void put(struct line *line, struct view text)
{
    memcpy(line->at, text.data, text.size);
    line->at += text.size;
}

/* A name of either format, both known when this is compiled. */
#define PUT_NAME(line, name)                                                                       \
    put(line, (line)->is_json ? VIEW(",\"" name "\":") : VIEW(" " name "="))

/* Bytes that stand in a line as they are: in a quoted text, or (logfmt) without quotes too. */
enum { PLAIN_QUOTED = 1, PLAIN_BARE = 2 };

static const uint8_t plain[256] = {
    [' '] = PLAIN_QUOTED,
    ['='] = PLAIN_QUOTED,
    ['!'] = PLAIN_QUOTED | PLAIN_BARE,
    ['#' ... '<'] = PLAIN_QUOTED | PLAIN_BARE,
    ['>' ... '['] = PLAIN_QUOTED | PLAIN_BARE,
    [']' ... '~'] = PLAIN_QUOTED | PLAIN_BARE,
};

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The highest bit of some bytes where one of the eight is 0; of none where none is. */
static inline uint64_t has_zero(uint64_t eight)
{
    return (eight - EACH_BYTE(0x01)) & ~eight & EACH_BYTE(0x80);
}

/* Eight bytes that are all plain in a quoted text. */
static inline bool are_plain(const char *bytes)
{
    uint64_t eight;

    memcpy(&eight, bytes, sizeof(eight));
    return !((eight & EACH_BYTE(0x80)) | ((eight - EACH_BYTE(' ')) & ~eight & EACH_BYTE(0x80)) |
             has_zero(eight ^ EACH_BYTE('"')) | has_zero(eight ^ EACH_BYTE('\\')) |
             has_zero(eight ^ EACH_BYTE(0x7f)));
}

/* How many bytes at the start of `text` are plain. */
static inline size_t count_plain(struct view text, uint8_t how)
{
    size_t count = 0;

    while (how == PLAIN_QUOTED && text.size - count >= 8 && are_plain(text.data + count))
        count += 8;
    while (count < text.size && plain[(uint8_t)text.data[count]] & how)
        count++;
    return count;
}

/* The value is at most `most` bytes long; what does not fit whole is left off. */
static void put_text(struct line *line, struct view text, size_t most)
{
    size_t clean;

    text = view_first(text, most);
    if (!line->is_json && text.size && count_plain(text, PLAIN_BARE) == text.size) {
        put(line, text);
        return;
    }
    clean = count_plain(text, PLAIN_QUOTED);
    *line->at++ = '"';
    put(line, view_first(text, clean));
    if (clean < text.size)
        line->at += escape_json(view_after(text, clean), line->at, most - clean);
    *line->at++ = '"';
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[NUMBER_BYTES];
    char *at = digits + sizeof(digits);

    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(line, view_between(at, digits + sizeof(digits)));
}

/* Milliseconds with three decimals. */
static void put_ms(struct line *line, uint64_t us)
{
    unsigned rest = (unsigned)(us % CLOCK_US_PER_MS);

    put_number(line, us / CLOCK_US_PER_MS);
    line->at[0] = '.';
    line->at[1] = (char)('0' + rest / 100);
    line->at[2] = (char)('0' + rest / 10 % 10);
    line->at[3] = (char)('0' + rest % 10);
    line->at += 4;
}

/* One of the first ten: it is there in every JSON line. */
#define PUT_TEXT_OR_NULL(line, name, text, most)                                                   \
    do {                                                                                           \
        if ((text).size) {                                                                         \
            PUT_NAME(line, name);                                                                  \
            put_text(line, text, most);                                                            \
        } else if ((line)->is_json) {                                                              \
            put(line, VIEW(",\"" name "\":null"));                                                 \
        }                                                                                          \
    } while (0)

#define PUT_NUMBER_OR_NULL(line, name, number)                                                     \
    do {                                                                                           \
        if ((number) >= 0) {                                                                       \
            PUT_NAME(line, name);                                                                  \
            put_number(line, (uint64_t)(number));                                                  \
        } else if ((line)->is_json) {                                                              \
            put(line, VIEW(",\"" name "\":null"));                                                 \
        }                                                                                          \
    } while (0)

/* One of the others: left off where it is not there. */
#define PUT_TEXT(line, name, text, most)                                                           \
    do {                                                                                           \
        if ((text).size) {                                                                         \
            PUT_NAME(line, name);                                                                  \
            put_text(line, text, most);                                                            \
        }                                                                                          \
    } while (0)

#define PUT_NUMBER(line, name, number)                                                             \
    do {                                                                                           \
        PUT_NAME(line, name);                                                                      \
        put_number(line, number);                                                                  \
    } while (0)

static void put_time(struct line *line, struct access_log *log, uint64_t wall_ms)
{
    unsigned rest = (unsigned)(wall_ms % 1000);

    if (wall_ms / 1000 != log->second || !log->when[0]) {
        log->second = wall_ms / 1000;
        clock_to_text(wall_ms, log->when);
    }
    log->when[20] = (char)('0' + rest / 100);
    log->when[21] = (char)('0' + rest / 10 % 10);
    log->when[22] = (char)('0' + rest % 10);
    put(line, line->is_json ? VIEW("{\"time\":\"") : VIEW("time="));
    put(line, (struct view){log->when, CLOCK_TEXT_BYTES - 1});
    if (line->is_json)
        *line->at++ = '"';
}

static void put_first(struct line *line, const struct access_record *record)
{
    struct view path = view_first(record->path, ACCESS_LOG_TARGET_BYTES);
    struct view why = view_of(record->why);

    PUT_TEXT_OR_NULL(line, "method", record->method, SHORT_BYTES);
    PUT_TEXT_OR_NULL(line, "path", path, TARGET_BYTES);
    PUT_NUMBER(line, "status", record->status);
    PUT_NUMBER(line, "bytes", record->bytes_out);
    PUT_TEXT_OR_NULL(line, "replica", record->replica, SHORT_BYTES);
    PUT_NUMBER_OR_NULL(line, "slot", record->slot);
    PUT_NUMBER_OR_NULL(line, "rank", record->rank);
    PUT_TEXT_OR_NULL(line, "why", why, SHORT_BYTES);
    PUT_NAME(line, "ms");
    put_ms(line, record->took_us);
}

static void put_others(struct line *line, const struct access_record *record)
{
    struct view failure = view_of(record->failure);

    PUT_TEXT(line, "client", record->client_ip, SHORT_BYTES);
    PUT_TEXT(line, "host", record->host, TEXT_BYTES);
    PUT_TEXT(line, "service", record->service, SHORT_BYTES);
    PUT_TEXT(line, "request_id", record->request_id, TEXT_BYTES);
    PUT_NUMBER(line, "attempts", record->attempts);
    PUT_NUMBER(line, "bytes_in", record->bytes_in);
    if (record->replica_status)
        PUT_NUMBER(line, "replica_status", record->replica_status);
    if (record->first_byte_us >= 0) {
        PUT_NAME(line, "first_byte_ms");
        put_ms(line, (uint64_t)record->first_byte_us);
    }
    if (record->held_us) {
        PUT_NAME(line, "held_ms");
        put_ms(line, record->held_us);
    }
    PUT_TEXT(line, "failure", failure, SHORT_BYTES);
}

/* Where a line of any length can go, or NULL. */
static char *make_room(struct access_log *log)
{
    if (ACCESS_LOG_BYTES - log->start - log->size >= ACCESS_LOG_LINE_BYTES_MAX)
        return log->ring + log->start + log->size;
    if (ACCESS_LOG_BYTES - log->size < ACCESS_LOG_LINE_BYTES_MAX)
        return NULL;
    memmove(log->ring, log->ring + log->start, log->size);
    log->start = 0;
    return log->ring + log->size;
}

void access_log_add(struct access_log *log, const struct access_record *record, uint64_t wall_ms)
{
    struct line line = {.is_json = log->format == ACCESS_JSON};
    char *start;

    if (!access_log_is_on(log))
        return;
    start = make_room(log);
    if (!start) {
        log->dropped++;
        return;
    }
    line.at = start;
    put_time(&line, log, wall_ms);
    put_first(&line, record);
    put_others(&line, record);
    if (line.is_json)
        *line.at++ = '}';
    *line.at++ = '\n';
    assert(line.at - start <= ACCESS_LOG_LINE_BYTES_MAX);
    log->size += (size_t)(line.at - start);
}

/* ---- out ---- */

static struct view waiting(const struct access_log *log)
{
    return (struct view){log->ring + log->start, log->size};
}

static void consume(struct access_log *log, size_t size)
{
    if (size == 0)
        return;
    log->is_torn = log->ring[log->start + size - 1] != '\n';
    log->start += size;
    log->size -= size;
    if (log->size == 0)
        log->start = 0;
}

/* Forgets the rest of a line whose beginning has gone. */
static void drop_torn(struct access_log *log)
{
    if (!log->is_torn)
        return;
    consume(log, view_find(waiting(log), '\n') + 1);
    log->dropped++;
}

static void drop_all(struct access_log *log)
{
    struct view lines = waiting(log);

    /* A line end that waits alone belongs to a line that has gone. */
    for (size_t i = 1; i < lines.size; i++)
        log->dropped += lines.data[i] == '\n';
    log->start = log->size = 0;
    if (!log->is_torn)
        return;
    /* What was written of the torn line ends here, so that the next one stands alone. */
    log->ring[0] = '\n';
    log->size = 1;
}

/* The whole lines (or the rest of one) that a pipe takes at once. */
static struct view next_piece(const struct access_log *log)
{
    struct view piece = view_first(waiting(log), PIPE_BUF);
    const char *last = memrchr(piece.data, '\n', piece.size);

    assert(last);
    return view_between(piece.data, last + 1);
}

static bool would_wait(const struct access_log *log)
{
    struct pollfd ask = {.fd = log->fd, .events = POLLOUT};

    return log->must_ask && poll(&ask, 1, 0) <= 0;
}

/* How much was taken, or a negative errno. */
static ssize_t write_bytes(const struct access_log *log, struct view bytes)
{
    ssize_t size;

    if (would_wait(log))
        return -EAGAIN;
    do
        size = log->way == ACCESS_SOCKET
                   ? send(log->fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL)
                   : write(log->fd, bytes.data, bytes.size);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

void access_log_flush(struct access_log *log)
{
    size_t written = 0;

    if (!access_log_is_on(log))
        return;
    while (log->size && written < TURN_BYTES_MAX) {
        struct view piece = log->way == ACCESS_FILE ? waiting(log) : next_piece(log);
        ssize_t size = write_bytes(log, piece);

        if (size == -EAGAIN)
            return;
        if (size < 0) {
            drop_all(log);
            return;
        }
        consume(log, (size_t)size);
        if ((size_t)size < piece.size || log->way == ACCESS_FILE)
            return;
        written += (size_t)size;
    }
}

/* ---- the descriptor ---- */

/* A pipe or terminal that somebody may share: the same one, opened anew for us alone. */
static int open_anew(int fd)
{
    char path[sizeof("/proc/self/fd/") + NUMBER_BYTES];
    struct stat status;

    if (fstat(fd, &status) < 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return -1;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int access_log_open(const char *path, struct error *why)
{
    int fd;

    if (path) {
        fd =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_MODE);
        return fd >= 0 ? fd
                       : error_set(why, -errno, "cannot open the access log %s: %s", path,
                                   strerror(errno));
    }
    fd = open_anew(STDOUT_FILENO);
    if (fd < 0)
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return fd >= 0 ? fd
                   : error_set(why, -errno, "standard output cannot be the access log: %s",
                               strerror(errno));
}

static void take(struct access_log *log, int fd)
{
    struct stat status;

    log->fd = fd;
    if (fd < 0)
        return;
    /* write() has no MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    if (!log->ring)
        log->ring = memory_allocate(ACCESS_LOG_BYTES);
    log->way = ACCESS_PIPE;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        log->way = ACCESS_FILE;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
        log->way = ACCESS_SOCKET;
    log->must_ask = log->way == ACCESS_PIPE && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

void access_log_init(struct access_log *log, int fd, enum access_format format)
{
    *log = (struct access_log){.fd = -1, .format = format};
    take(log, fd);
}

void access_log_reopen(struct access_log *log, int fd)
{
    access_log_flush(log);
    if (access_log_is_on(log))
        drop_torn(log);
    descriptor_close(&log->fd);
    take(log, fd);
    if (fd < 0)
        access_log_finish(log);
}

void access_log_finish(struct access_log *log)
{
    access_log_flush(log);
    if (access_log_is_on(log) || log->ring) {
        log->is_torn = false;
        drop_all(log);
    }
    descriptor_close(&log->fd);
    free(log->ring);
    log->ring = NULL;
}
