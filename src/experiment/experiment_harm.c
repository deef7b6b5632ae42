#include "experiment/experiment_harm.h"

#include <errno.h>
#include <signal.h>

#include "experiment/experiment_pool.h"

int experiment_harm_aim(struct experiment_harm *harm, struct experiment_rig *rig,
                        const char *replica, struct error *why)
{
    struct experiment_replica found;
    int result = experiment_pool_look(rig, replica, &found, why);

    if (result < 0)
        return result;
    *harm = (struct experiment_harm){
        .rig = rig, .replica = replica, .incarnation = found.incarnation, .pid = found.pid};
    if (rig->docker)
        return experiment_docker_find(rig->docker, replica, harm->container, why);
    return found.pid > 0 ? 0 : error_set(why, -ESRCH, "%s has no process", replica);
}

int experiment_harm_send(struct experiment_harm *harm, int signal, struct error *why)
{
    int result;

    if (!harm->container[0]) {
        if (kill(harm->pid, signal) == 0)
            return 0;
        return error_set(why, -ESRCH, "%s has no process", harm->replica);
    }
    result = experiment_docker_await(harm->rig->docker, &harm->call, why);
    if (result == 0)
        experiment_docker_signal(harm->rig->docker, harm->container, signal, &harm->call);
    return result;
}

int experiment_harm_finish(struct experiment_harm *harm, struct error *why)
{
    if (!harm->container[0])
        return 0;
    return experiment_docker_await(harm->rig->docker, &harm->call, why);
}
