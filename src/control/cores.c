#include "control/cores.h"

#include <sched.h>
#include <stdio.h>

/* Of the control group (cgroup v2, cpu.max); 0 where there is no quota. */
static unsigned quota(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    unsigned long long most_us;
    unsigned long long period_us;
    int found;

    if (!file)
        return 0;
    found = fscanf(file, "%llu %llu", &most_us, &period_us);
    fclose(file);
    if (found != 2 || period_us == 0)
        return 0;
    return (unsigned)((most_us + period_us - 1) / period_us);
}

unsigned cores_count(void)
{
    unsigned limit = quota();
    unsigned count = 1;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        count = (unsigned)CPU_COUNT(&set);
    return limit && limit < count ? limit : count;
}
