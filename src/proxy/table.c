#include "proxy/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS_WANTED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* `count` things of `size` bytes at `offset` lie inside the table. */
static bool is_inside(const struct table *table, uint64_t offset, uint64_t count, uint64_t size,
                      uint64_t alignment)
{
    return offset >= sizeof(*table) && offset % alignment == 0 && offset <= table->bytes &&
           count <= (table->bytes - offset) / size;
}

static bool is_text_inside(const struct table *table, uint32_t offset)
{
    if (offset == 0)
        return true;
    return is_inside(table, offset, 1, 1, 1) &&
           memchr((const char *)table + offset, 0, table->bytes - offset);
}

static bool is_name(const char name[TABLE_NAME_BYTES])
{
    return memchr(name, 0, TABLE_NAME_BYTES) != NULL;
}

static bool is_previous_sound(const struct table *table, const struct table_service *service)
{
    if (!service->previous)
        return true;
    return is_inside(table, service->previous, service->previous_bytes, 1, BALANCE_ALIGNMENT) &&
           balance_image_at(table_previous(table, service), service->previous_bytes);
}

static bool is_service_sound(const struct table *table, const struct table_service *service)
{
    const struct balance_image *image;

    if (!is_name(service->name) || !is_text_inside(table, service->host) ||
        !is_text_inside(table, service->path))
        return false;
    if (service->key_count > TABLE_KEY_SOURCES_MAX || service->replica_count > TABLE_REPLICAS_MAX)
        return false;
    for (unsigned i = 0; i < service->key_count; i++) {
        if (service->keys[i].kind > TABLE_KEY_RANDOM ||
            !is_text_inside(table, service->keys[i].text))
            return false;
    }
    if (!is_inside(table, service->replicas, service->replica_count, sizeof(struct table_replica),
                   _Alignof(struct table_replica)) ||
        !is_inside(table, service->image, service->image_bytes, 1, BALANCE_ALIGNMENT))
        return false;
    for (unsigned i = 0; i < service->replica_count; i++) {
        const struct table_replica *replica = table_replicas(table, service) + i;

        if (!is_name(replica->name) || replica->seat >= TABLE_REPLICAS_MAX ||
            replica->address.size > sizeof(replica->address))
            return false;
    }
    image = balance_image_at(table_image(table, service), service->image_bytes);
    return image && balance_count(image) == service->replica_count &&
           is_previous_sound(table, service);
}

static bool are_settings_sound(const struct table_settings *settings)
{
    if (settings->compat > TABLE_COMPAT_ASSIGNMENT || settings->trusted_count > TABLE_TRUSTED_MAX)
        return false;
    for (unsigned i = 0; i < settings->trusted_count; i++) {
        if (settings->trusted[i].bits > 8 * sizeof(settings->trusted[i].bytes))
            return false;
    }
    return true;
}

static bool is_sound(const struct table *table, uint64_t file_bytes)
{
    if (table->magic != TABLE_MAGIC || table->version != TABLE_VERSION ||
        table->bytes != file_bytes)
        return false;
    if (table->service_count > TABLE_SERVICES_MAX || table->listener_count > TABLE_LISTENERS_MAX ||
        !are_settings_sound(&table->settings) || !memchr(table->digest, 0, sizeof(table->digest)))
        return false;
    if (!is_inside(table, table->services, table->service_count, sizeof(struct table_service),
                   _Alignof(struct table_service)))
        return false;
    for (unsigned i = 0; i < table->service_count; i++) {
        if (!is_service_sound(table, table_services(table) + i))
            return false;
    }
    return true;
}

int table_map(int fd, const struct table **table, struct error *why)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat status;
    const struct table *map;

    if (seals < 0 || (seals & SEALS_WANTED) != SEALS_WANTED)
        return error_set(why, -EBADMSG, "the table is not sealed");
    if (fstat(fd, &status) < 0 || (uint64_t)status.st_size < sizeof(*map) ||
        (uint64_t)status.st_size > TABLE_BYTES_MAX)
        return error_set(why, -EBADMSG, "the table has no possible size");
    map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return error_set(why, -errno, "mapping the table: %s", strerror(errno));
    if (!is_sound(map, (uint64_t)status.st_size)) {
        munmap((void *)map, (size_t)status.st_size);
        return error_set(why, -EBADMSG, "the table is damaged or of another version");
    }
    *table = map;
    return 0;
}

void table_unmap(const struct table *table)
{
    if (table)
        munmap((void *)table, table->bytes);
}
