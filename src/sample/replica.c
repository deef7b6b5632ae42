#include "sample/replica.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/word.h"
#include "net/listener.h"
#include "net/signals.h"
#include "sample/replica_server.h"

#define PORT       5000
#define ADDRESS    "127.0.0.1"
#define DEFAULT_ID "1"

/* Most bytes queued for slow clients. */
#define QUEUED_BYTES_MAX (256u * 1024 * 1024)

/* What still runs that long after SIGTERM is cut off. */
#define DRAIN_US (30 * CLOCK_US_PER_S)

static const char help[] =
    "usage: roost replica [--port N] [--id ID] [--address IP]\n"
    "\n"
    "The sample server that roost balances. It answers GET /home, /heartbeat, /healthcheck,\n"
    "/bytes/N, /slow/MS, /status/CODE, /stream/N, /ws (WebSocket echo) and POST /echo.\n"
    "\n"
    "  --port N      the port it listens on         (environment: PORT, default 5000)\n"
    "  --id ID       what it calls itself           (environment: SERVER_ID, default 1)\n"
    "  --address IP  the address it listens on      (environment: ROOST_REPLICA_ADDRESS,\n"
    "                default 127.0.0.1; 0.0.0.0 or :: in a container)\n"
    "\n"
    "SIGTERM and SIGINT: finishes what runs and ends.\n";

struct options {
    const char *port;
    const char *id;
    const char *address;
};

struct replica {
    struct loop loop;
    struct sock_group socks;
    struct listener listener;
    struct replica_server server;
    struct signals signals;
    struct timer cut_off;
    int listen_fd;
    bool is_draining;
};

static const char *environment_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && value[0] ? value : otherwise;
}

/* 0, or the exit status of a command line that ends here, negative for "done". */
static int read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"id", required_argument, NULL, 'i'},
        {"address", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;

    *options = (struct options){
        .port = environment_or("PORT", NULL),
        .id = environment_or("SERVER_ID", DEFAULT_ID),
        .address = environment_or("ROOST_REPLICA_ADDRESS", ADDRESS),
    };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case 'p':
            options->port = optarg;
            break;
        case 'i':
            options->id = optarg;
            break;
        case 'a':
            options->address = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            return -1;
        case ':':
            fprintf(stderr, "roost replica: %s needs a value\n", argv[optind - 1]);
            return WORD_USAGE;
        default:
            fprintf(stderr, "roost replica: '%s' is not known; --help says what is\n",
                    argv[optind - 1]);
            return WORD_USAGE;
        }
    }
    if (optind == argc)
        return 0;
    fprintf(stderr, "roost replica: '%s' is not understood; --help says what is\n", argv[optind]);
    return WORD_USAGE;
}

static int make_address(const struct options *options, struct address *address, struct error *why)
{
    uint64_t port = PORT;

    if (options->port && view_to_number(view_of(options->port), UINT16_MAX, &port) < 0)
        return error_set(why, -EINVAL, "PORT '%s' is no number from 0 to 65535", options->port);
    if (address_from_ip(view_of(options->address), (uint16_t)port, address) < 0)
        return error_set(why, -EINVAL, "'%s' is no IP address", options->address);
    return 0;
}

static void on_accept(struct listener *listener, int fd, const struct address *client)
{
    struct replica *replica = listener->owner;

    inbound_open(&replica->server.inbounds, fd, client, 0);
}

/* Whoever connected before now is still answered: what waits in the queue is taken first. */
static void stop_accepting(struct replica *replica)
{
    struct address client = {.size = sizeof(client.un)};
    int fd;

    if (replica->listen_fd < 0)
        return;
    while ((fd = accept4(replica->listen_fd, &client.any, &client.size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        inbound_open(&replica->server.inbounds, fd, &client, 0);
        client.size = sizeof(client.un);
    }
    listener_stop(&replica->listener);
    descriptor_close(&replica->listen_fd);
}

static void on_signal(struct signals *signals, uint32_t signal)
{
    struct replica *replica = CONTAINER_OF(signals, struct replica, signals);

    (void)signal;
    if (replica->is_draining) {
        inbound_group_abort(&replica->server.inbounds);
        return;
    }
    replica->is_draining = true;
    stop_accepting(replica);
    replica_server_drain(&replica->server);
    loop_start_timer(&replica->loop, &replica->cut_off, DRAIN_US);
}

static void on_cut_off(struct timer *timer)
{
    inbound_group_abort(&CONTAINER_OF(timer, struct replica, cut_off)->server.inbounds);
}

static int start(struct replica *replica, const struct options *options, struct error *why)
{
    static const int heard[] = {SIGTERM, SIGINT, 0};
    char text[ADDRESS_TEXT_BYTES];
    struct address address;
    int result = make_address(options, &address, why);

    if (result < 0)
        return result;
    descriptor_raise_limit();
    result = signals_start(&replica->signals, &replica->loop, heard, on_signal, why);
    if (result < 0)
        return result;
    replica->listen_fd = listener_open(&address, false, why);
    if (replica->listen_fd < 0)
        return replica->listen_fd;
    result =
        listener_start(&replica->listener, &replica->loop, replica->listen_fd, on_accept, replica);
    if (result < 0)
        return error_set(why, result, "epoll: %s", strerror(-result));
    address_to_text(&address, text);
    fprintf(stderr, "replica %s listens on %s\n", options->id, text);
    return 0;
}

static void run(struct replica *replica)
{
    while (!replica->is_draining || replica->server.inbounds.count)
        loop_turn(&replica->loop, UINT64_MAX);
}

int replica_main(int argc, char **argv)
{
    struct replica replica = {.listen_fd = -1};
    struct options options;
    struct error why;
    int result = read_options(argc, argv, &options);

    if (result)
        return result < 0 ? WORD_DONE : result;
    if (loop_init(&replica.loop, &why) < 0) {
        fprintf(stderr, "roost replica: %s\n", why.text);
        return WORD_FAILED;
    }
    timer_init(&replica.cut_off, on_cut_off);
    sock_group_init(&replica.socks, &replica.loop, QUEUED_BYTES_MAX);
    replica_server_init(&replica.server, &replica.socks, options.id);
    result = start(&replica, &options, &why);
    if (result < 0)
        fprintf(stderr, "roost replica: %s\n", why.text);
    else
        run(&replica);
    replica_server_finish(&replica.server);
    sock_group_finish(&replica.socks);
    loop_finish(&replica.loop);
    if (result == 0)
        return WORD_DONE;
    return result == -EINVAL ? WORD_USAGE : WORD_FAILED;
}
