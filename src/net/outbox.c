#include "net/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){.memory = memory_allocate((size_t)OUTBOX_MAX * OUTBOX_BYTES_MAX)};
}

void outbox_finish(struct outbox *outbox)
{
    free(outbox->memory);
    *outbox = (struct outbox){0};
}

unsigned outbox_add(struct outbox *outbox, struct sock *sock, const struct iovec *pieces, int count)
{
    char *start = outbox->memory + outbox->used;
    size_t size = 0;

    if (outbox->count == OUTBOX_MAX)
        return 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > OUTBOX_BYTES_MAX - size)
            return 0;
        memcpy(start + size, pieces[i].iov_base, pieces[i].iov_len);
        size += pieces[i].iov_len;
    }
    outbox->used += size;
    outbox->writes[outbox->count++] = (struct outbox_write){sock, {start, size}};
    return outbox->count;
}

struct view outbox_take(struct outbox *outbox, unsigned number)
{
    struct outbox_write *write = &outbox->writes[number - 1];

    assert(number > 0 && number <= outbox->count && write->sock);
    write->sock = NULL;
    return write->bytes;
}

struct sock *outbox_next(struct outbox *outbox)
{
    for (; outbox->next < outbox->count; outbox->next++) {
        if (outbox->writes[outbox->next].sock)
            return outbox->writes[outbox->next].sock;
    }
    outbox->count = 0;
    outbox->next = 0;
    outbox->used = 0;
    return NULL;
}
