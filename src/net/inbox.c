#include "net/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/memory.h"

/* Places a power of two apart would all meet in the same lines of the cache. */
#define STRIDE (INBOX_BYTES + 64)

void inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){
        .memory = memory_allocate((size_t)INBOX_MAX * STRIDE),
        .free = UINT32_MAX,
    };
}

void inbox_finish(struct inbox *inbox)
{
    free(inbox->memory);
    *inbox = (struct inbox){0};
}

char *inbox_bytes(const struct inbox *inbox, unsigned number)
{
    return inbox->memory + (size_t)(number - 1) * STRIDE;
}

unsigned inbox_receive(struct inbox *inbox, int fd)
{
    unsigned number;
    ssize_t size;

    if (!inbox->free)
        return 0;
    number = (unsigned)__builtin_ctz(inbox->free) + 1;
    inbox->free &= inbox->free - 1;
    do
        size = recv(fd, inbox_bytes(inbox, number), INBOX_BYTES, 0);
    while (size < 0 && errno == EINTR);
    inbox->sizes[number - 1] = size < 0 ? -errno : (int32_t)size;
    return number;
}
