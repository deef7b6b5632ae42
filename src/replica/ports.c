#include "replica/ports.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* An owner that is nobody: the port waits for an epoch. */
#define WAITING UINT64_MAX

void ports_init(struct ports *ports)
{
    *ports = (struct ports){0};
    ports->owner = memory_allocate(PORTS_COUNT * sizeof(ports->owner[0]));
    ports->waiting = memory_allocate(PORTS_WAITING_MAX * sizeof(ports->waiting[0]));
}

void ports_finish(struct ports *ports)
{
    free(ports->owner);
    free(ports->waiting);
    *ports = (struct ports){0};
}

/* Could a server listen there now? Of port 0 the kernel chooses one. Returns it or -errno. */
static int try_port(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t size = sizeof(address);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return -errno;
    /* As servers do, so that connections of the last run that are still fading do not matter. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        result = -errno;
    else
        result = ntohs(address.sin_port);
    close(fd);
    return result;
}

int ports_choose(struct ports *ports, uint64_t id, uint16_t wanted)
{
    assert(id && id != WAITING);
    if (wanted && (ports->owner[wanted] == id || !ports->owner[wanted]) && try_port(wanted) > 0) {
        ports->owner[wanted] = id;
        return wanted;
    }
    for (int i = 0; i < PORTS_TRIES_MAX; i++) {
        int port = try_port(0);

        if (port < 0)
            return port;
        if (ports->owner[port])
            continue;
        ports->owner[port] = id;
        return port;
    }
    return -EADDRINUSE;
}

void ports_claim(struct ports *ports, uint64_t id, uint16_t port)
{
    ports->owner[port] = id;
}

static void forget_first(struct ports *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint16_t port = ports->waiting[i].port;

        /* It may have been claimed meanwhile, by the adoption of what runs there. */
        if (ports->owner[port] == WAITING)
            ports->owner[port] = 0;
    }
    ports->waiting_count -= count;
    memmove(ports->waiting, ports->waiting + count,
            ports->waiting_count * sizeof(ports->waiting[0]));
}

static void wait_for_epoch(struct ports *ports, uint16_t port)
{
    if (ports->adopted >= ports->published) {
        ports->owner[port] = 0;
        return;
    }
    if (ports->waiting_count == PORTS_WAITING_MAX)
        forget_first(ports, 1);
    ports->owner[port] = WAITING;
    ports->waiting[ports->waiting_count++] =
        (struct ports_waiting){.epoch = ports->published, .port = port};
}

void ports_release(struct ports *ports, uint64_t id, uint16_t kept)
{
    for (unsigned port = 1; port < PORTS_COUNT; port++) {
        if (ports->owner[port] == id && port != kept)
            wait_for_epoch(ports, (uint16_t)port);
    }
}

void ports_published(struct ports *ports, uint64_t epoch)
{
    if (epoch > ports->published)
        ports->published = epoch;
}

void ports_adopted(struct ports *ports, uint64_t epoch)
{
    unsigned count = 0;

    if (epoch > ports->adopted)
        ports->adopted = epoch;
    while (count < ports->waiting_count && ports->waiting[count].epoch <= ports->adopted)
        count++;
    if (count)
        forget_first(ports, count);
}
