#include "replica/driver.h"

#include <string.h>

const char *driver_server_id(const char *name)
{
    static const char prefix[] = "Server ";
    const size_t size = sizeof(prefix) - 1;

    if (strncmp(name, prefix, size) != 0 || !name[size])
        return name;
    return name + size;
}
