#include "net/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/descriptor.h"

static void on_events(struct watch *watch, uint32_t events)
{
    struct signals *signals = CONTAINER_OF(watch, struct signals, watch);
    struct signalfd_siginfo info;

    (void)events;
    while (read(watch->fd, &info, sizeof(info)) == sizeof(info))
        signals->on_signal(signals, info.ssi_signo);
}

int signals_start(struct signals *signals, struct loop *loop, const int *heard,
                  signals_fn on_signal, struct error *why)
{
    sigset_t set;
    int result;
    int fd;

    sigemptyset(&set);
    for (; *heard; heard++)
        sigaddset(&set, *heard);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return error_set(why, -errno, "cannot hear signals: %s", strerror(errno));
    *signals = (struct signals){.watch.fd = fd, .loop = loop, .on_signal = on_signal};
    result = loop_add(loop, &signals->watch, EPOLLIN, on_events);
    return result < 0 ? error_set(why, result, "epoll: %s", strerror(-result)) : 0;
}

void signals_stop(struct signals *signals)
{
    if (!signals->loop)
        return;
    if (signals->watch.on_events)
        loop_remove(signals->loop, &signals->watch);
    descriptor_close(&signals->watch.fd);
    signals->loop = NULL;
}
