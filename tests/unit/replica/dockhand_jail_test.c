/* What a dockhand may still do when it is locked in. */
#include "../base/any_jail.h"

#include <jansson.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/memory.h"
#include "net/sock.h"
#include "replica/dockhand_jail.h"

/* ---- what no dockhand may ---- */

static const struct any_jail_attempt killing[] = {
    {"an IPv4 socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
    {"an IPv6 socket", SYS_socket, {AF_INET6, SOCK_STREAM, 0}, false},
    {"an IPv4 socket in 64 bits", SYS_socket, {AF_INET | 1UL << 32, SOCK_STREAM, 0}, false},
};

static const struct any_jail_attempt refused[] = {
    {"a datagram socket", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}, false},
    {"a caller", SYS_accept4, {-1UL}, false},
    {"an option of TCP", SYS_setsockopt, {-1UL, IPPROTO_TCP, TCP_NODELAY}, false},
};

static int enter(struct error *why)
{
    int result = dockhand_jail_shed(why);

    return result < 0 ? result : dockhand_jail_enter(why);
}

/* Runs `run` in a child that is locked in; how it ended. */
static int in_jail(any_jail_child_fn run, void *argument)
{
    return any_jail_run(enter, run, argument);
}

static void what_only_an_intruder_does_kills(void **state)
{
    (void)state;
    any_jail_expect_killed(enter, any_jail_killing, ARRAY_SIZE(any_jail_killing));
    any_jail_expect_killed(enter, killing, ARRAY_SIZE(killing));
}

static void anything_else_is_refused_and_counted(void **state)
{
    (void)state;
    any_jail_expect_refused(enter, any_jail_refused, ARRAY_SIZE(any_jail_refused));
    any_jail_expect_refused(enter, refused, ARRAY_SIZE(refused));
}

static int refuse_and_look(void *argument)
{
    const int *fd = argument;

    log_open(*fd, LOG_INFO, LOG_LOGFMT);
    (void)!syscall(SYS_setuid, 0);
    dockhand_jail_look();
    dockhand_jail_look();
    return WENT_WELL;
}

static void a_refusal_is_logged_once_by_name(void **state)
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    char text[4096] = "";

    (void)state;
    assert_int_equal(WENT_WELL, in_jail(refuse_and_look, &fd));
    assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "level=error event=sandbox.refused call=setuid number="));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    close(fd);
}

/* ---- what must go on ---- */

struct talk {
    struct loop loop;
    struct sock_group group;
    struct sock sock;
    struct address address;
    bool is_done;
};

static void on_bytes(struct sock *sock, struct view bytes)
{
    CONTAINER_OF(sock, struct talk, sock)->is_done = view_equals(bytes, VIEW("hello"));
}

static void on_connected(struct sock *sock)
{
    sock_write(sock, VIEW("hello"));
}

static void on_reset(struct sock *sock, int error)
{
    (void)sock;
    (void)error;
}

static void on_gone(struct sock *sock)
{
    (void)sock;
}

static const struct sock_events sock_events = {
    .on_bytes = on_bytes, .on_connected = on_connected, .on_reset = on_reset};

static int ask(void *argument)
{
    struct talk *talk = argument;
    json_t *root = json_pack("{s:s}", "a", "b");
    char *text = json_dumps(root, JSON_COMPACT);
    char *large = memory_allocate(16u << 20);

    large[0] = text[0];
    free(large);
    free(text);
    json_decref(root);
    sock_group_init(&talk->group, &talk->loop, 1 << 20);
    if (sock_connect(&talk->sock, &talk->group, &talk->address, 0, &sock_events) < 0)
        return OTHER_ANSWER;
    for (unsigned i = 0; i < 1000 && !talk->is_done; i++)
        loop_turn(&talk->loop, 10000);
    sock_abort(&talk->sock, on_gone);
    loop_turn(&talk->loop, 0);
    log_event(LOG_INFO, "test", LOG_NUMBER("now", clock_now_us()));
    return talk->is_done && jail_refusals() == 0 ? WENT_WELL : OTHER_ANSWER;
}

/* Says back what the first caller says. */
static pid_t start_echo(int listener)
{
    pid_t pid = fork();

    if (pid == 0) {
        char bytes[16];
        ssize_t size;
        int fd;

        alarm(10); /* nobody may come */
        fd = accept(listener, NULL, NULL);
        size = read(fd, bytes, sizeof(bytes));
        _exit(size > 0 && write(fd, bytes, (size_t)size) == size ? 0 : 1);
    }
    return pid;
}

static void a_dockhand_still_reaches_a_unix_socket(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof(name);
    static struct talk talk;
    pid_t echo;

    (void)state;
    snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/roost-jail-test-%d", (int)getpid());
    unlink(name.sun_path);
    assert_int_equal(0, bind(listener, (struct sockaddr *)&name, size));
    assert_int_equal(0, listen(listener, 1));
    echo = start_echo(listener);
    assert_int_equal(0, loop_init(&talk.loop, NULL));
    talk.address.un = name;
    talk.address.size = size;
    assert_int_equal(WENT_WELL, in_jail(ask, &talk));
    loop_finish(&talk.loop);
    assert_int_equal(echo, waitpid(echo, NULL, 0));
    unlink(name.sun_path);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_an_intruder_does_kills),
        cmocka_unit_test(anything_else_is_refused_and_counted),
        cmocka_unit_test(a_refusal_is_logged_once_by_name),
        cmocka_unit_test(a_dockhand_still_reaches_a_unix_socket),
    };

    return cmocka_run_group_tests_name("replica/dockhand_jail", tests, NULL, NULL);
}
