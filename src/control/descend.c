#include "control/descend.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/dockhand_nursery.h"

#define UID_MOST 65533

static bool has_containers(const struct config *config)
{
    for (unsigned i = 0; i < config->service_count; i++) {
        if (config->services[i].replicas.driver == CONFIG_DRIVER_DOCKER)
            return true;
    }
    return false;
}

static int become(uid_t user, struct error *why)
{
    if (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 ||
        setresuid(user, user, user) < 0)
        return error_set(why, -errno, "cannot become user %u (ROOST_UID): %s", user,
                         strerror(errno));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return 0;
}

int descend(const struct config *config, struct error *why)
{
    const char *text = getenv("ROOST_UID");
    uint64_t user;
    int result;

    if (!text || !*text || geteuid() != 0)
        return 0;
    if (view_to_number(view_of(text), UID_MOST, &user) < 0 || user == 0)
        return error_set(why, -EINVAL, "ROOST_UID is '%.32s': a user from 1 to %d is expected",
                         text, UID_MOST);
    /* A volume that was made by others: as far as it can be, it is made ours. */
    if (mkdir(config->state, 0700) == 0 || errno == EEXIST)
        (void)!chown(config->state, (uid_t)user, (gid_t)user);
    result = has_containers(config) ? dockhand_nursery_start(why) : 0;
    return result < 0 ? result : become((uid_t)user, why);
}
