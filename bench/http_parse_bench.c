/*
 * How long one head takes: parsed, and written anew, in nanoseconds. Each figure is the best of
 * several rounds, so that a neighbour on the machine does not count.
 */
#include <stdio.h>
#include <time.h>

#include "http/h1_chunk.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

#define ROUNDS 15
#define TURNS  40000

static const struct h1_limits limits = {.head_bytes = 32 * 1024, .fields = HEAD_FIELDS_MAX};

static const struct view curl = VIEW("GET /home HTTP/1.1\r\n"
                                     "Host: localhost:5000\r\n"
                                     "User-Agent: curl/7.88.1\r\n"
                                     "Accept: */*\r\n"
                                     "X-Request-ID: 123456\r\n\r\n");

static const struct view browser =
    VIEW("GET /api/items/42?fields=name,price&sort=asc HTTP/1.1\r\n"
         "Host: example.org\r\n"
         "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
         "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
         "Accept-Language: en-US,en;q=0.5\r\n"
         "Accept-Encoding: gzip, deflate, br\r\n"
         "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
         "Connection: keep-alive\r\n"
         "Upgrade-Insecure-Requests: 1\r\n\r\n");

static const struct view post = VIEW("POST /echo HTTP/1.1\r\n"
                                     "Host: 127.0.0.1:5000\r\n"
                                     "Content-Type: application/json\r\n"
                                     "Content-Length: 27\r\n"
                                     "Connection: close\r\n"
                                     "Accept: application/json\r\n\r\n");

static const struct view answer = VIEW("HTTP/1.1 200 OK\r\n"
                                       "Content-Type: application/json\r\n"
                                       "Content-Length: 59\r\n"
                                       "Date: Fri, 20 Nov 2026 05:00:00 GMT\r\n"
                                       "Server: roost-replica\r\n"
                                       "Connection: keep-alive\r\n\r\n");

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static struct field fields[HEAD_FIELDS_MAX];
static struct head head = {.fields = fields};

static size_t parse_request(struct view bytes)
{
    size_t scanned = 0;

    return h1_parse_request(bytes, &limits, &scanned, &head).size;
}

static size_t parse_answer(struct view bytes)
{
    size_t scanned = 0;

    return h1_parse_answer(bytes, &limits, &scanned, &head).size;
}

/* The head parsed last, as the proxy writes it. */
static size_t write_request(struct view bytes)
{
    static char memory[4096];
    struct h1_writer writer;

    h1_write_init(&writer, memory, sizeof(memory));
    h1_write_request_line(&writer, head.method_text, head.target);
    for (uint16_t i = 0; i < head.field_count; i++) {
        if (!head.fields[i].is_dropped)
            h1_write_field(&writer, head.fields[i].name, head.fields[i].value);
    }
    h1_write_framing(&writer, head.body);
    h1_write_end(&writer);
    return writer.is_full ? 0 : bytes.size;
}

/* Chunks of one byte: the most work a byte can cause. */
static const struct view small_chunks = VIEW(
    "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n1\r\ne\r\n1\r\nf\r\n1\r\ng\r\n1\r\nh\r\n0\r\n\r\n");

static size_t read_chunks(struct view bytes)
{
    struct h1_chunk_reader reader;
    struct view rest = bytes, data;

    h1_chunk_init(&reader);
    while (h1_chunk_read(&reader, &rest, &data) == H1_CHUNK_DATA)
        ;
    h1_chunk_finish(&reader);
    return bytes.size - rest.size;
}

static void measure(const char *name, size_t (*what)(struct view bytes), struct view bytes)
{
    uint64_t best = UINT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now_ns(), spent;

        for (int turn = 0; turn < TURNS; turn++) {
            if (what(bytes) != bytes.size) {
                printf("%s: refused\n", name);
                return;
            }
        }
        spent = now_ns() - start;
        best = spent < best ? spent : best;
    }
    printf("%-24s %4zu bytes  %6.1f ns\n", name, bytes.size, (double)best / TURNS);
}

int main(void)
{
    measure("parse small GET", parse_request, curl);
    measure("write it", write_request, curl);
    measure("parse POST", parse_request, post);
    measure("parse browser GET", parse_request, browser);
    measure("write it", write_request, browser);
    measure("parse answer", parse_answer, answer);
    measure("read 8 chunks of 1 byte", read_chunks, small_chunks);
    return 0;
}
