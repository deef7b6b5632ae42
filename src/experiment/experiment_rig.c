#include "experiment/experiment_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "base/random.h"
#include "experiment/experiment_call.h"

#define QUEUED_BYTES_MAX (64u * 1024 * 1024)
#define IDLE_MS          1000
#define IDLE_MAX         16
#define FLAGS_MAX        40
#define PORT_FIRST       10000 /* below those the kernel gives to connections */
#define PORT_COUNT       20000
#define PORT_TRIES       200
#define START_TRIES      5
#define REPLICA_TRIES    2 /* a replica that failed so often does not start at all */
#define START_US         (60 * CLOCK_US_PER_S)
#define POLL_US          (5 * CLOCK_US_PER_MS)
#define END_US           (20 * CLOCK_US_PER_S) /* for each way of asking */
#define LOG_TAIL_BYTES   300
#define SELF             "/proc/self/exe"
#define WIPE             "\r\033[K"

/* ---- what is shown ---- */

/* On a terminal a note is wiped away by what comes next; --verbose writes lines there. */
static bool has_wiping(const struct experiment_rig *rig)
{
    return isatty(STDERR_FILENO) && !rig->options->is_verbose;
}

void experiment_rig_note(const struct experiment_rig *rig, const char *format, ...)
{
    va_list values;

    if (has_wiping(rig))
        fputs(WIPE, stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    if (!has_wiping(rig))
        fputc('\n', stderr);
}

void experiment_rig_say(const struct experiment_rig *rig, const char *format, ...)
{
    va_list values;

    if (!rig->options->is_verbose)
        return;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

/* ---- signals ---- */

static void on_signal(struct signals *signals, uint32_t signal)
{
    struct experiment_rig *rig = CONTAINER_OF(signals, struct experiment_rig, signals);

    (void)signal;
    rig->is_interrupted = true;
    if (has_wiping(rig))
        experiment_rig_note(rig, "interrupted: what was started ends");
}

int experiment_rig_init(struct experiment_rig *rig, const struct experiment_options *options,
                        struct error *why)
{
    struct outbound_settings settings = {
        .limits = {.head_bytes = HEAD_BYTES_MAX, .fields = HEAD_FIELDS_MAX},
        .idle_ms = IDLE_MS,
        .idle_max = IDLE_MAX,
    };
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP, 0};
    int result;

    *rig = (struct experiment_rig){.options = options};
    result = loop_init(&rig->loop, why);
    if (result < 0)
        return result;
    descriptor_raise_limit();
    sock_group_init(&rig->socks, &rig->loop, QUEUED_BYTES_MAX);
    outbound_pool_init(&rig->calls, &rig->socks, &settings);
    result = signals_start(&rig->signals, &rig->loop, heard, on_signal, why);
    if (result < 0)
        experiment_rig_finish(rig);
    return result;
}

void experiment_rig_finish(struct experiment_rig *rig)
{
    experiment_rig_stop(rig);
    if (rig->docker)
        experiment_docker_finish(rig->docker);
    free(rig->docker);
    outbound_pool_finish(&rig->calls);
    signals_stop(&rig->signals);
    sock_group_finish(&rig->socks);
    loop_finish(&rig->loop);
}

/* ---- a process of ours ---- */

/* An environment built anew: whatever the caller's says about roost does not count here. `node`
 * (may be NULL) is one more of it. */
static char **make_environment(char *node, char **kept, size_t most)
{
    static const char *const names[] = {"PATH",        "HOME",         "TMPDIR",       "LANG",
                                        "DOCKER_HOST", "ASAN_OPTIONS", "UBSAN_OPTIONS"};
    size_t count = 0;

    if (node)
        kept[count++] = node;
    for (char **variable = environ; *variable && count + 1 < most; variable++) {
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            size_t size = strlen(names[i]);

            if (strncmp(*variable, names[i], size) == 0 && (*variable)[size] == '=')
                kept[count++] = *variable;
        }
    }
    kept[count] = NULL;
    return kept;
}

/* In the child: nothing of ours but a log, not in the terminal's reach, and never longer than us.
 */
static void become(const char *log, char **arguments, char **environment, pid_t parent)
{
    sigset_t none;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (fd < 0 || nothing < 0 || getppid() != parent || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    execve(SELF, arguments, environment);
    _exit(127);
}

static int spawn(const struct experiment_rig *rig, char **arguments, pid_t *child,
                 struct error *why)
{
    char *kept[16];
    char node[sizeof("ROOST_NODE=") + EXPERIMENT_DOCKER_NODE_BYTES];
    char **environment = make_environment(rig->docker ? node : NULL, kept, ARRAY_SIZE(kept));
    char log[sizeof(rig->folder) + 16];
    pid_t parent = getpid();

    if (rig->docker)
        snprintf(node, sizeof(node), "ROOST_NODE=%s", rig->docker->node);
    snprintf(log, sizeof(log), "%s/log", rig->folder);
    *child = fork();
    if (*child < 0)
        return error_set(why, -errno, "fork: %m");
    if (*child == 0)
        become(log, arguments, environment, parent);
    return 0;
}

/* ---- starting ---- */

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    bool is_bound;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    is_bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_bound;
}

static int find_ports(struct experiment_rig *rig, struct error *why)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        uint16_t port = (uint16_t)(PORT_FIRST + random_below(PORT_COUNT));

        if (!is_free(port) || !is_free((uint16_t)(port + 1)))
            continue;
        if (address_from_ip(VIEW("127.0.0.1"), port, &rig->traffic) < 0 ||
            address_from_ip(VIEW("127.0.0.1"), (uint16_t)(port + 1), &rig->control) < 0)
            continue;
        return 0;
    }
    return error_set(why, -EADDRINUSE, "there are no two free ports side by side");
}

static int make_folder(struct experiment_rig *rig, struct error *why)
{
    const char *parent = getenv("TMPDIR");

    if (!parent || strlen(parent) > 32)
        parent = "/tmp";
    snprintf(rig->folder, sizeof(rig->folder), "%s/roost-experiment.XXXXXX", parent);
    if (mkdtemp(rig->folder))
        return 0;
    rig->folder[0] = '\0';
    return error_set(why, -errno, "%s: %m", parent);
}

static int spawn_keeper(struct experiment_rig *rig, const struct experiment_scheme *scheme,
                        unsigned replicas, const char *const *flags, struct error *why)
{
    const char *arguments[FLAGS_MAX] = {"roost", "serve", "--listen", "127.0.0.1"};
    char state[sizeof(rig->folder) + 16];
    char number[4][16];
    const char *pairs[][2] = {
        {"--state", state},
        {"--port", number[0]},
        {"--control-port", number[1]},
        {"--num-servers", number[2]},
        {"--access-log", "off"},
        {"--scheme", scheme->scheme},
        {"--request-hash", scheme->request_hash},
        {"--server-hash", scheme->server_hash},
        {"--driver", rig->docker ? "docker" : "process"},
        {"--server-image", rig->docker ? rig->docker->image : NULL},
        {"--docker-network", rig->docker ? rig->docker->node : NULL},
    };
    size_t count = 4;

    snprintf(state, sizeof(state), "%s/state", rig->folder);
    snprintf(number[0], sizeof(number[0]), "%u", address_port(&rig->traffic));
    snprintf(number[1], sizeof(number[1]), "%u", address_port(&rig->control));
    snprintf(number[2], sizeof(number[2]), "%u", replicas);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (!pairs[i][1])
            continue;
        arguments[count++] = pairs[i][0];
        arguments[count++] = pairs[i][1];
    }
    for (; flags && *flags && count + 1 < FLAGS_MAX; flags++)
        arguments[count++] = *flags;
    return spawn(rig, (char **)arguments, &rig->keeper, why);
}

/* The last words of the balancer. */
static int tell_end(const struct experiment_rig *rig, struct error *why)
{
    char path[sizeof(rig->folder) + 16];
    char text[LOG_TAIL_BYTES + 1];
    FILE *file;
    size_t size = 0;

    snprintf(path, sizeof(path), "%s/log", rig->folder);
    file = fopen(path, "re");
    if (file) {
        if (fseek(file, -LOG_TAIL_BYTES, SEEK_END) < 0)
            rewind(file);
        size = fread(text, 1, LOG_TAIL_BYTES, file);
        fclose(file);
    }
    text[size] = '\0';
    return error_set(why, -ECHILD, "the balancer ended: %s", text);
}

int experiment_rig_wait(struct experiment_rig *rig, uint64_t us, struct error *why)
{
    uint64_t end_us = clock_now_us() + us;

    for (;;) {
        uint64_t now_us = clock_now_us();

        if (rig->is_interrupted)
            return error_set(why, -EINTR, "interrupted");
        if (rig->keeper && waitpid(rig->keeper, NULL, WNOHANG) == rig->keeper) {
            rig->keeper = 0;
            return tell_end(rig, why);
        }
        if (now_us >= end_us)
            return 0;
        loop_turn(&rig->loop, end_us - now_us);
    }
}

static bool is_ready(struct experiment_rig *rig)
{
    struct experiment_answer answer;
    struct error why;
    bool is_ready;

    if (experiment_call(rig, EXPERIMENT_CONTROL, "GET", "/readyz", NULL, &answer, &why) < 0)
        return false;
    is_ready = answer.status == 200;
    experiment_call_finish(&answer);
    return is_ready;
}

/* 1 where the replica is up, 0 where it may still be; -EIO where it was tried often enough. */
static int look_at(const json_t *replica, struct error *why)
{
    const char *name = json_string_value(json_object_get(replica, "name"));
    const char *state = json_string_value(json_object_get(replica, "state"));
    const char *reason = json_string_value(json_object_get(replica, "reason"));
    json_int_t restarts = json_integer_value(json_object_get(replica, "restarts"));

    if (!name || !state)
        return 0;
    if (restarts >= REPLICA_TRIES && reason)
        return error_set(why, -EIO, "%s does not start: %s", name, reason);
    return strcmp(state, "up") == 0;
}

/* 1 where all are up, 0 where one is not yet; -EIO where one never will be. */
static int look_at_all(struct experiment_rig *rig, struct error *why)
{
    struct experiment_answer answer;
    struct error later;
    json_t *replica;
    size_t i;
    int result = 1;

    if (!is_ready(rig))
        return 0;
    if (experiment_call(rig, EXPERIMENT_CONTROL, "GET", "/v1/replicas", NULL, &answer, &later) < 0)
        return 0;
    json_array_foreach(json_object_get(answer.json, "replicas"), i, replica)
    {
        int one = look_at(replica, why);

        result = one < result ? one : result;
    }
    experiment_call_finish(&answer);
    return result;
}

static int wait_for_all(struct experiment_rig *rig, struct error *why)
{
    uint64_t end_us = clock_now_us() + START_US;

    for (;;) {
        int result = experiment_rig_wait(rig, POLL_US, why);

        if (result == 0)
            result = look_at_all(rig, why);
        if (result)
            return result < 0 ? result : 0;
        if (clock_now_us() > end_us)
            return error_set(why, -ETIMEDOUT, "the balancer is not ready after %d s",
                             (int)(START_US / CLOCK_US_PER_S));
    }
}

/* The Engine is asked at the first start: there are experiments that need none. */
static int open_docker(struct experiment_rig *rig, struct error *why)
{
    struct experiment_docker *docker;
    int result;

    if (!rig->options->is_docker || rig->docker)
        return 0;
    docker = memory_allocate(sizeof(*docker));
    result = experiment_docker_init(docker, &rig->socks, rig->options->image, why);
    if (result < 0)
        free(docker);
    else
        rig->docker = docker;
    return result;
}

int experiment_rig_start(struct experiment_rig *rig, const struct experiment_scheme *scheme,
                         unsigned replicas, const char *const *flags, struct error *why)
{
    int result = open_docker(rig, why);

    if (result < 0)
        return result;
    if (has_wiping(rig))
        experiment_rig_note(rig, "a balancer with %u replicas starts", replicas);
    result = -ECHILD;
    /* A port that was free a moment ago may be somebody else's by now. */
    for (int i = 0; i < START_TRIES && result == -ECHILD; i++) {
        result = make_folder(rig, why);
        if (result == 0)
            result = find_ports(rig, why);
        if (result == 0)
            result = spawn_keeper(rig, scheme, replicas, flags, why);
        if (result == 0)
            result = wait_for_all(rig, why);
        if (result < 0)
            experiment_rig_stop(rig);
    }
    if (result == 0)
        experiment_rig_say(rig, "a balancer with %u %s on port %u, %s", replicas,
                           rig->docker ? "containers" : "replicas", address_port(&rig->traffic),
                           rig->folder);
    return result;
}

/* ---- ending ---- */

static bool ends_within(pid_t child, int signal, uint64_t most_us)
{
    uint64_t end_us = clock_now_us() + most_us;

    kill(child, signal);
    while (clock_now_us() < end_us) {
        if (waitpid(child, NULL, WNOHANG) == child)
            return true;
        usleep((useconds_t)CLOCK_US_PER_MS);
    }
    return false;
}

/* Whatever the keeper left behind, also where it ended by itself. */
static void end_leftovers(struct experiment_rig *rig)
{
    char state[sizeof(rig->folder) + 16];
    char *arguments[] = {"roost", "stop", "--state", state, NULL};
    struct error why;
    pid_t child;

    snprintf(state, sizeof(state), "%s/state", rig->folder);
    if (access(state, F_OK) < 0 || spawn(rig, arguments, &child, &why) < 0)
        return;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* In order, then at once (which a second signal means), then by force. */
static void end_keeper(pid_t keeper)
{
    static const int ways[] = {SIGTERM, SIGTERM, SIGKILL};

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (ends_within(keeper, ways[i], END_US))
            return;
    }
}

void experiment_rig_stop(struct experiment_rig *rig)
{
    if (rig->keeper)
        end_keeper(rig->keeper);
    if (!rig->folder[0])
        return;
    if (has_wiping(rig))
        fputs(WIPE, stderr);
    end_leftovers(rig);
    nftw(rig->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rig->folder[0] = '\0';
    rig->keeper = 0;
    outbound_forget(&rig->calls, EXPERIMENT_CONTROL, UINT32_MAX);
    outbound_forget(&rig->calls, EXPERIMENT_TRAFFIC, UINT32_MAX);
}
