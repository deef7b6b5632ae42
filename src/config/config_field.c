#include "config/config_field.h"

#include "config/config.h"
#include "http/head.h"
#include "net/resolver.h"

#define BIT(n)   (1u << (n))
#define PROCESS  BIT(CONFIG_DRIVER_PROCESS)
#define DOCKER   BIT(CONFIG_DRIVER_DOCKER)
#define STATIC   BIT(CONFIG_DRIVER_STATIC)
#define SLOT_HRW BIT(CONFIG_SCHEME_SLOT_HRW)
#define CLASSIC  BIT(CONFIG_SCHEME_CLASSIC)
#define HASHED   (SLOT_HRW | BIT(CONFIG_SCHEME_KETAMA) | BIT(CONFIG_SCHEME_MAGLEV) | CLASSIC)
#define UNHASHED                                                                                   \
    (BIT(CONFIG_SCHEME_ROUND_ROBIN) | BIT(CONFIG_SCHEME_LEAST_CONN) | BIT(CONFIG_SCHEME_P2C))
#define DAY_MS   UINT64_C(86400000)
#define TEBIBYTE (UINT64_C(1) << 40)

static const char *const compat_words[] = {"off", "api", "assignment", NULL};
static const char *const driver_words[] = {"process", "docker", "static", NULL};
static const char *const scheme_words[] = {"slot-hrw",    "ketama",     "maglev", "classic",
                                           "round-robin", "least-conn", "p2c",    NULL};
static const char *const request_words[] = {
    "quadratic", "quadratic-172", "quadratic-2", "linear",   "modulo",
    "mix32",     "fnv1a",         "md5",         "multiply", NULL};
static const char *const server_words[] = {"quadratic", "linear",   "mixed", "fnv1a",
                                           "md5",       "multiply", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_words[] = {"logfmt", "json", NULL};

#define AT(member) .part = CONFIG_IN_CONFIG, .offset = offsetof(struct config, member)
#define LISTENER(member)                                                                           \
    .part = CONFIG_IN_LISTENER, .offset = offsetof(struct config_listener, member)
#define SERVICE(member)    .part = CONFIG_IN_SERVICE, .offset = offsetof(struct config_service, member)
#define RANGE(low, high)   .least = (low), .most = (high)
#define SPECIAL(word, val) .special = (word), .special_value = (val)

/* clang-format off */
const struct config_field config_fields[] = {
    {"listen", CONFIG_LIST, RANGE(1, CONFIG_LISTENERS_MAX),
     .when_absent = "127.0.0.1:5000, and [::1]:5000 where there is IPv6",
     .help = "The addresses the traffic comes in on."},
    {"listen[].address", CONFIG_ENDPOINT, LISTENER(address), RANGE(1, 65535), .fallback = "127.0.0.1:5000",
     .help = "IP:PORT, with brackets around IPv6; 0.0.0.0 and [::] are every address of the machine."},
    {"listen[].services", CONFIG_NAMES, LISTENER(services), .fallback = "",
     .help = "Only these services are reached here; empty means all."},

    {"control", CONFIG_SECTION, .help = "The control port: API, dashboard and metrics."},
    {"control.address", CONFIG_DOORS, AT(control.addresses), RANGE(1, 65535),
     .when_absent = "127.0.0.1, and [::1] where there is IPv6, at the port after the first of `listen`",
     .help = "IP:PORT, a list of them, or the path of a unix socket; off loopback a token is required."},
    {"control.token-file", CONFIG_TEXT, AT(control.token_file), .when_absent = "none",
     .help = "A file whose first line is the token that changes need."},
    {"control.open", CONFIG_BOOL, AT(control.is_open), .fallback = "false",
     .help = "Allows the classic changes on the traffic port to everybody who reaches it."},
    {"control.hosts", CONFIG_HOSTS, AT(control.hosts), .fallback = "",
     .help = "Names besides localhost and the machine's own that a Host field may have here."},

    {"compat", CONFIG_WORD, AT(compat), .fallback = "off", .words = compat_words,
     .help = "Whether the classic API is served on the traffic port: assignment also maps a replica's 404 to 400. The embedded default has assignment."},
    {"workers", CONFIG_INTEGER, AT(workers), RANGE(1, 256), SPECIAL("auto", 0), .fallback = "auto",
     .help = "Processes that carry traffic; auto is one for each core this process may use."},
    {"state", CONFIG_TEXT, AT(state),
     .when_absent = "$XDG_STATE_HOME/roost or ~/.local/state/roost; for root /var/lib/roost",
     .help = "The folder that remembers the pool."},

    {"log", CONFIG_SECTION, .help = "What is written down, and where."},
    {"log.level", CONFIG_WORD, AT(log.level), .fallback = "info", .words = level_words,
     .help = "The least that is logged on standard error."},
    {"log.access", CONFIG_TEXT, AT(log.access), .fallback = "stdout",
     .help = "Where the line of each request goes: a path, stdout or off."},
    {"log.format", CONFIG_WORD, AT(log.format), .fallback = "logfmt", .words = format_words,
     .help = "How the program's own log is written."},
    {"log.access-format", CONFIG_WORD, AT(log.access_format), .fallback = "json", .words = format_words,
     .help = "How the line of a request is written."},

    {"trusted-proxies", CONFIG_NETWORKS, AT(trusted_proxies), RANGE(0, CONFIG_NETWORKS_MAX), .fallback = "",
     .help = "Networks whose X-Forwarded fields are believed and continued."},
    {"resolvers", CONFIG_RESOLVERS, AT(resolvers), RANGE(0, RESOLVER_SERVERS_MAX), .fallback = "",
     .when_absent = "those of /etc/resolv.conf",
     .help = "DNS servers for the host names in `addresses`, tried in this order; without a port it is 53. The hosts file is asked before them."},

    {"limits", CONFIG_SECTION, .help = "What one balancer takes on at most."},
    {"limits.connections", CONFIG_INTEGER, AT(limits.connections), RANGE(16, 10000000), .fallback = "20000",
     .help = "Client connections at once; the limit of open files may lower it, and so may the memory: one for each 16 KiB."},
    {"limits.replicas", CONFIG_INTEGER, AT(limits.replicas), RANGE(1, CONFIG_REPLICAS_MAX), .fallback = "1024",
     .help = "Replicas of all services together."},
    {"limits.header-bytes", CONFIG_SIZE, AT(limits.header_bytes), RANGE(1024, HEAD_BYTES_MAX), .fallback = "32KiB",
     .help = "A request's or answer's head; more is 431 or 502."},
    {"limits.header-fields", CONFIG_INTEGER, AT(limits.header_fields), RANGE(8, HEAD_FIELDS_MAX), .fallback = "128",
     .help = "Fields of a request's head; more are 431."},
    {"limits.target-bytes", CONFIG_SIZE, AT(limits.target_bytes), RANGE(64, HEAD_BYTES_MAX), .fallback = "16KiB",
     .help = "A request's target, path and query together; more is 414."},
    {"limits.body-bytes", CONFIG_SIZE, AT(limits.body_bytes), RANGE(0, TEBIBYTE),
     SPECIAL("unlimited", CONFIG_UNLIMITED), .fallback = "unlimited",
     .help = "A request's body; more is 413."},
    {"limits.header-timeout", CONFIG_DURATION, AT(limits.header_timeout_ms), RANGE(100, DAY_MS), .fallback = "10s",
     .help = "How long a client may take to send a request's head."},
    {"limits.idle-timeout", CONFIG_DURATION, AT(limits.idle_timeout_ms), RANGE(100, DAY_MS), .fallback = "60s",
     .help = "How long a client's connection may wait for its next request, and how long a body may fall behind `min-rate`."},
    {"limits.min-rate", CONFIG_SIZE, AT(limits.min_rate), RANGE(0, 1048576), .fallback = "64",
     .help = "Bytes a second that a client must send of a body, on average over `idle-timeout`, else 408; and that it must take of an answer that waits for it. 0: one byte is enough."},
    {"limits.connection-requests", CONFIG_INTEGER, AT(limits.connection_requests), RANGE(1, 1000000000),
     SPECIAL("unlimited", 0), .fallback = "unlimited",
     .help = "Requests on one connection; the last answer says close."},
    {"limits.connection-lifetime", CONFIG_DURATION, AT(limits.connection_lifetime_ms), RANGE(1000, DAY_MS),
     SPECIAL("unlimited", 0), .fallback = "unlimited",
     .help = "How old a connection may be when its next answer begins; that one says close. Tunnels stay."},
    {"limits.client-connections", CONFIG_INTEGER, AT(limits.client_connections), RANGE(1, 10000000),
     SPECIAL("unlimited", 0), .fallback = "unlimited",
     .help = "Connections of one address (IPv6: of one /64) at once, over all workers; one more is 429 with Retry-After. Trusted proxies are not counted."},
    {"limits.client-requests", CONFIG_INTEGER, AT(limits.client_requests), RANGE(1, 1000000),
     SPECIAL("unlimited", 0), .fallback = "unlimited",
     .help = "Requests of one address (IPv6: of one /64) in a second, over all workers; one more is 429 with Retry-After."},
    {"limits.client-burst", CONFIG_INTEGER, AT(limits.client_burst), RANGE(1, 1000000), SPECIAL("auto", 0), .fallback = "auto",
     .help = "Requests of one address at once, before `client-requests` counts; auto is as many as that."},
    {"limits.buffered-total", CONFIG_SIZE, AT(limits.buffered_total_bytes), RANGE(1048576, TEBIBYTE),
     SPECIAL("auto", 0), .fallback = "auto",
     .help = "Bytes all workers together hold for slow readers; beyond it those who make most wait are cut. As many again are kept of requests: of heads that are not whole, long heads, bodies for another attempt; beyond it whoever needs most is told 503. At least 4 MiB a worker; auto is an eighth of the memory."},

    {"services", CONFIG_LIST, RANGE(1, CONFIG_SERVICES_MAX), .when_absent = "one service with every default",
     .help = "What is balanced; a request goes to the first service that matches."},
    {"services[].name", CONFIG_NAME, SERVICE(name), .fallback = "web",
     .help = "The service's name, once in the file."},
    {"services[].match", CONFIG_SECTION, .help = "Which requests are this service's; nothing here matches all."},
    {"services[].match.host", CONFIG_HOST, SERVICE(match.host), .when_absent = "any",
     .help = "The request's host, ports ignored; *.example.org is every name under it."},
    {"services[].match.path", CONFIG_URL_PATH, SERVICE(match.path), .when_absent = "any",
     .help = "What the request's path begins with, whole segments."},

    {"services[].replicas", CONFIG_SECTION, .help = "The copies that are balanced, and what starts them."},
    {"services[].replicas.driver", CONFIG_WORD, SERVICE(replicas.driver), .fallback = "process", .words = driver_words,
     .help = "Who starts them: process and docker are started and healed by roost, static only watched."},
    {"services[].replicas.count", CONFIG_INTEGER, SERVICE(replicas.count), RANGE(0, CONFIG_COUNT_MAX),
     .when_absent = "as many as `names`, else 3", .drivers = PROCESS | DOCKER,
     .help = "How many the declaration asks for."},
    {"services[].replicas.names", CONFIG_NAMES, SERVICE(replicas.names), .fallback = "", .drivers = PROCESS | DOCKER,
     .when_absent = "Server 1, Server 2 ...",
     .help = "Their names; where there are fewer than count the rest are Server k. More are an error."},
    {"services[].replicas.command", CONFIG_TEXTS, SERVICE(replicas.command), .fallback = "", .drivers = PROCESS,
     .when_absent = "the sample replica, roost replica",
     .help = "What is run, word by word; {port} and {name} are filled in."},
    {"services[].replicas.image", CONFIG_TEXT, SERVICE(replicas.image), .fallback = "roost", .drivers = DOCKER,
     .help = "The image of the containers."},
    {"services[].replicas.network", CONFIG_TEXT, SERVICE(replicas.network), .fallback = "roost", .drivers = DOCKER,
     .help = "The Docker network they join."},
    {"services[].replicas.port", CONFIG_INTEGER, SERVICE(replicas.port), RANGE(1, 65535), .fallback = "5000", .drivers = DOCKER,
     .help = "The port a container listens on."},
    {"services[].replicas.addresses", CONFIG_ENDPOINTS, SERVICE(replicas.addresses), RANGE(1, 65535), .fallback = "", .drivers = STATIC,
     .help = "A map from name to the place of replicas that somebody else starts and stops. Each address of a host name is a replica, called NAME-IP; see [host names](operations.md#host-names)."},
    {"services[].replicas.env", CONFIG_ENV, SERVICE(replicas.env), .fallback = "", .drivers = PROCESS | DOCKER,
     .help = "What a replica's environment has besides PATH, SERVER_ID and PORT."},
    {"services[].replicas.resources", CONFIG_SECTION, .drivers = PROCESS | DOCKER,
     .help = "What one replica may use."},
    {"services[].replicas.resources.memory", CONFIG_SIZE, SERVICE(replicas.resources.memory_bytes), RANGE(6291456, TEBIBYTE),
     SPECIAL("unlimited", CONFIG_UNLIMITED), .fallback = "unlimited", .drivers = PROCESS | DOCKER,
     .help = "Memory, in bytes or with a unit."},
    {"services[].replicas.resources.cpus", CONFIG_FACTOR, SERVICE(replicas.resources.cpus_thousandths), RANGE(10, 1024000),
     SPECIAL("unlimited", CONFIG_OFF), .fallback = "unlimited", .drivers = PROCESS | DOCKER,
     .help = "Processor cores; half a core is 0.5."},
    {"services[].replicas.resources.pids", CONFIG_INTEGER, SERVICE(replicas.resources.pids), RANGE(1, 4194304),
     SPECIAL("unlimited", CONFIG_OFF), .fallback = "unlimited", .drivers = PROCESS | DOCKER,
     .help = "Processes and threads."},
    {"services[].replicas.weights", CONFIG_WEIGHTS, SERVICE(replicas.weights), RANGE(0, CONFIG_WEIGHT_MAX), .fallback = "",
     .schemes = (HASHED | UNHASHED) & ~CLASSIC,
     .help = "A map from name to weight; a replica that is not in it weighs 1, 0 gets no traffic."},

    {"services[].balance", CONFIG_SECTION, .help = "Which replica a request goes to."},
    {"services[].balance.scheme", CONFIG_WORD, SERVICE(balance.scheme), .fallback = "slot-hrw", .words = scheme_words,
     .help = "How keys find replicas."},
    {"services[].balance.key", CONFIG_KEYS, SERVICE(balance.key), RANGE(1, CONFIG_KEY_SOURCES_MAX),
     .fallback = "header:X-Request-ID, random", .schemes = HASHED,
     .help = "Where a request's key comes from; the first source that is there."},
    {"services[].balance.slots", CONFIG_INTEGER, SERVICE(balance.slots), RANGE(2, CONFIG_SLOTS_MAX),
     .when_absent = "65536; 512 under classic", .schemes = SLOT_HRW | CLASSIC,
     .help = "Places in the table; under slot-hrw a power of two from 256."},
    {"services[].balance.cap", CONFIG_PERCENT, SERVICE(balance.cap_thousandths), RANGE(0, 1000), SPECIAL("off", CONFIG_OFF),
     .fallback = "5%", .schemes = SLOT_HRW,
     .help = "How far a replica's share may exceed the fair one."},
    {"services[].balance.bound", CONFIG_FACTOR, SERVICE(balance.bound_thousandths), RANGE(1010, 100000), SPECIAL("off", CONFIG_OFF),
     .fallback = "off", .schemes = HASHED,
     .help = "A replica with more than this times its fair share of the requests in flight is skipped."},
    {"services[].balance.bound-floor", CONFIG_INTEGER, SERVICE(balance.bound_floor), RANGE(1, 1000000), .fallback = "16",
     .schemes = HASHED,
     .help = "Requests in flight below which `bound` skips nobody."},
    {"services[].balance.virtual", CONFIG_INTEGER, SERVICE(balance.virtual_servers), RANGE(1, CONFIG_SLOTS_MAX),
     .when_absent = "log2 of `slots`, 9 for 512", .schemes = CLASSIC,
     .help = "Virtual servers of each replica on the ring."},
    {"services[].balance.request_hash", CONFIG_WORD, SERVICE(balance.request_hash), .fallback = "quadratic", .words = request_words,
     .schemes = CLASSIC, .help = "The function of a request's id."},
    {"services[].balance.server_hash", CONFIG_WORD, SERVICE(balance.server_hash), .fallback = "quadratic", .words = server_words,
     .schemes = CLASSIC, .help = "The function of a server's id and its virtual server's number."},

    {"services[].health", CONFIG_SECTION, .help = "How roost learns that a replica works."},
    {"services[].health.path", CONFIG_URL_PATH, SERVICE(health.path), .fallback = "/heartbeat",
     .help = "What is asked for; any 2xx answer is well."},
    {"services[].health.interval", CONFIG_DURATION, SERVICE(health.interval_ms), RANGE(10, DAY_MS), .fallback = "500ms",
     .help = "The time between two probes of a replica."},
    {"services[].health.timeout", CONFIG_DURATION, SERVICE(health.timeout_ms), RANGE(1, DAY_MS), .fallback = "200ms",
     .help = "How long a probe may take."},
    {"services[].health.fall", CONFIG_INTEGER, SERVICE(health.fall), RANGE(1, 100), .fallback = "2",
     .help = "Misses in a row that make it down."},
    {"services[].health.rise", CONFIG_INTEGER, SERVICE(health.rise), RANGE(1, 100), .fallback = "2",
     .help = "Successes in a row that make a replica that was down up again."},
    {"services[].health.start", CONFIG_DURATION, SERVICE(health.start_ms), RANGE(10, DAY_MS), .fallback = "10s",
     .help = "How long a new replica may take until it is ready."},
    {"services[].health.warm", CONFIG_DURATION, SERVICE(health.warm_ms), RANGE(0, DAY_MS), .fallback = "0s",
     .help = "How long a new or healed replica gets a growing part of its keys; 0s: all of them at once."},

    {"services[].timeouts", CONFIG_SECTION, .help = "How long one request may wait for what."},
    {"services[].timeouts.connect", CONFIG_DURATION, SERVICE(timeouts.connect_ms), RANGE(1, DAY_MS), .fallback = "500ms",
     .help = "For a connection to a replica. One that takes others meanwhile has a full queue, which the kernel asks again after a second: it has 1.25 s at least."},
    {"services[].timeouts.response", CONFIG_DURATION, SERVICE(timeouts.response_ms), RANGE(1, DAY_MS), .fallback = "30s",
     .help = "For the head of the answer."},
    {"services[].timeouts.idle", CONFIG_DURATION, SERVICE(timeouts.idle_ms), RANGE(1, DAY_MS), .fallback = "60s",
     .help = "For the next byte of a body or of a tunnel."},
    {"services[].timeouts.outbound-idle", CONFIG_DURATION, SERVICE(timeouts.outbound_idle_ms), RANGE(0, DAY_MS), .fallback = "4s",
     .help = "How long a connection to a replica is kept for the next request."},
    {"services[].timeouts.drain", CONFIG_DURATION, SERVICE(timeouts.drain_ms), RANGE(0, DAY_MS), .fallback = "10s",
     .help = "How long a removed replica may finish what it has."},

    {"services[].retries", CONFIG_SECTION, .help = "What happens when a replica fails before it answered."},
    {"services[].retries.attempts", CONFIG_INTEGER, SERVICE(retries.attempts), RANGE(1, 10), .fallback = "3",
     .help = "Replicas one request may be tried on, the first included."},
    {"services[].retries.budget", CONFIG_PERCENT, SERVICE(retries.budget_thousandths), RANGE(0, 1000), .fallback = "20%",
     .help = "Retries for each request in the long run."},
    {"services[].retries.body", CONFIG_SIZE, SERVICE(retries.body_bytes), RANGE(0, 16 * 1048576), .fallback = "64KiB",
     .help = "The longest body that is kept to be sent again."},

    {"services[].outlier", CONFIG_SECTION, .help = "Replicas whose own answers show that they are broken lose their traffic for a while."},
    {"services[].outlier.consecutive-5xx", CONFIG_INTEGER, SERVICE(outlier.consecutive), RANGE(1, 100000),
     SPECIAL("off", 0), .fallback = "off",
     .help = "So many answers 500, 502, 503 or 504 in a row, over all workers, eject a replica."},
    {"services[].outlier.base", CONFIG_DURATION, SERVICE(outlier.base_ms), RANGE(100, DAY_MS), .fallback = "10s",
     .help = "How long the first ejection lasts; each one after it twice as long."},
    {"services[].outlier.most", CONFIG_DURATION, SERVICE(outlier.most_ms), RANGE(100, DAY_MS), .fallback = "300s",
     .help = "How long an ejection may last, and how long a replica must be in rotation until the ones before are forgotten."},
    {"services[].outlier.probation", CONFIG_INTEGER, SERVICE(outlier.trials), RANGE(1, 1000), .fallback = "3",
     .help = "Good answers in a row, one request at a time in each worker, after which a replica is back; a bad one ejects it again."},
    {"services[].outlier.floor", CONFIG_PERCENT, SERVICE(outlier.floor_thousandths), RANGE(500, 1000), .fallback = "50%",
     .help = "Nobody is ejected where less than this part of the replicas would stay in rotation, and never the last one."},
    {"services[].outlier.latency-factor", CONFIG_FACTOR, SERVICE(outlier.latency_thousandths), RANGE(1500, 1000000),
     SPECIAL("off", 0), .fallback = "off",
     .help = "A replica that takes this many times the median of all of them for half of its answers is ejected; needs three to compare."},
    {"services[].outlier.latency-min", CONFIG_DURATION, SERVICE(outlier.latency_min_ms), RANGE(1, DAY_MS), .fallback = "100ms",
     .help = "Who answers half of its requests within this is not slow, whatever the others do."},
    {"services[].outlier.latency-window", CONFIG_DURATION, SERVICE(outlier.latency_window_ms), RANGE(1000, DAY_MS), .fallback = "10s",
     .help = "How long is measured before they are compared; at most one is ejected then."},
    {"services[].outlier.latency-requests", CONFIG_INTEGER, SERVICE(outlier.latency_requests), RANGE(1, 1000000), .fallback = "100",
     .help = "Replicas with fewer answers in that time are not compared."},
    {"services[].expose-replica", CONFIG_BOOL, SERVICE(expose_replica), .fallback = "false",
     .help = "Answers name their replica in X-Roost-Replica and X-Request-ID, and say in X-Roost-Held how long "
             "they waited for it."},
    {"services[].hold", CONFIG_DURATION, SERVICE(hold_ms), RANGE(0, DAY_MS), SPECIAL("off", 0), .fallback = "off",
     .drivers = PROCESS | DOCKER,
     .help = "How long an idempotent request may wait, from its arrival, for the owner of its key to be healed, "
             "instead of going to the next replica."},
};
/* clang-format on */

const size_t config_field_count = ARRAY_SIZE(config_fields);

const struct config_field *config_field_find(struct view path)
{
    for (size_t i = 0; i < config_field_count; i++) {
        if (view_equals(view_of(config_fields[i].path), path))
            return &config_fields[i];
    }
    return NULL;
}

const char *config_field_key(const struct config_field *field)
{
    const char *dot = strrchr(field->path, '.');

    return dot ? dot + 1 : field->path;
}

bool config_field_is_under(const struct config_field *field, struct view parent)
{
    size_t head = (size_t)(config_field_key(field) - field->path);

    if (!parent.size)
        return head == 0;
    return head == parent.size + 1 && view_starts_with(view_of(field->path), parent);
}

unsigned config_field_distance(struct view a, struct view b, unsigned limit)
{
    unsigned row[CONFIG_PATH_BYTES + 1];

    if (a.size > CONFIG_PATH_BYTES || b.size > CONFIG_PATH_BYTES)
        return limit + 1;
    for (unsigned j = 0; j <= b.size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            unsigned shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[b.size] <= limit ? row[b.size] : limit + 1;
}

#define NEAR_MAX 3 /* changes a typo may have */

const struct config_field *config_field_nearest(struct view parent, struct view text)
{
    const struct config_field *nearest = NULL;
    unsigned least = NEAR_MAX + 1;

    for (size_t i = 0; i < config_field_count; i++) {
        struct view key = view_of(config_field_key(&config_fields[i]));
        unsigned distance;

        if (!config_field_is_under(&config_fields[i], parent))
            continue;
        distance = config_field_distance(key, text, NEAR_MAX);
        if (distance < least && distance * 2 <= key.size) {
            least = distance;
            nearest = &config_fields[i];
        }
    }
    return nearest;
}
