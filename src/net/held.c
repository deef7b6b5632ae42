#include "net/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void held_init(struct held *held)
{
    *held = (struct held){.memory = memory_allocate((size_t)HELD_MAX * HELD_BYTES_MAX)};
}

void held_finish(struct held *held)
{
    free(held->memory);
    *held = (struct held){0};
}

unsigned held_add(struct held *held, struct sock *sock, const struct iovec *pieces, int count)
{
    char *start = held->memory + held->used;
    size_t size = 0;

    if (held->count == HELD_MAX)
        return 0;
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > HELD_BYTES_MAX - size)
            return 0;
        memcpy(start + size, pieces[i].iov_base, pieces[i].iov_len);
        size += pieces[i].iov_len;
    }
    held->used += size;
    held->writes[held->count++] = (struct held_write){sock, {start, size}};
    return held->count;
}

struct view held_take(struct held *held, unsigned number)
{
    struct held_write *write = &held->writes[number - 1];

    assert(number > 0 && number <= held->count && write->sock);
    write->sock = NULL;
    return write->bytes;
}

struct sock *held_next(struct held *held)
{
    for (unsigned i = 0; i < held->count; i++) {
        if (held->writes[i].sock)
            return held->writes[i].sock;
    }
    held->count = 0;
    held->used = 0;
    return NULL;
}
