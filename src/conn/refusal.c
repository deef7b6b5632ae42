#include "conn/refusal.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/h1_write.h"

/* Room for the status line and the fields of our own. */
#define OWN_BYTES_MAX 256

/* Room for what on_refused may write. */
#define ASKED_BYTES_MAX (16 * 1024)

/* Of what a client that is turned away has sent, so much is read at once. */
#define UNREAD_BYTES_MAX 4096

#define TURNED_AWAY_FIELDS "Retry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

void refusal_write(struct inbound *inbound, uint16_t status, const char *reason)
{
    struct inbound_group *group = inbound->group;
    struct view fields = VIEW("");
    struct view body = VIEW("");
    struct h1_writer writer;
    size_t capacity;
    char *text;

    /* What on_refused writes must still be there when ours is got. */
    sock_text_reserve(group->socks, 2 * ASKED_BYTES_MAX);
    if (group->events->on_refused)
        group->events->on_refused(inbound, status, reason, &fields, &body);
    capacity = fields.size + body.size + OWN_BYTES_MAX;
    text = sock_text(group->socks, capacity);
    assert(text && capacity <= ASKED_BYTES_MAX);
    h1_write_init(&writer, text, capacity);
    h1_write_status_line(&writer, status, (struct view){NULL, 0});
    h1_write_bytes(&writer, fields);
    h1_write_number_field(&writer, VIEW("Content-Length"), body.size);
    h1_write_field(&writer, VIEW("Connection"), VIEW("close"));
    h1_write_end(&writer);
    if (inbound->method != METHOD_HEAD)
        h1_write_bytes(&writer, body);
    sock_write(&inbound->sock, h1_write_result(&writer));
}

void refusal_turn_away(int fd, uint16_t status)
{
    struct view text = status == 429
                           ? VIEW("HTTP/1.1 429 Too Many Requests\r\n" TURNED_AWAY_FIELDS)
                           : VIEW("HTTP/1.1 503 Service Unavailable\r\n" TURNED_AWAY_FIELDS);
    char unread[UNREAD_BYTES_MAX];

    (void)!send(fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    /* Closing with a request unread would be a RST, which takes the answer back. */
    (void)!recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
    close(fd);
}
