#include "proxy/table.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/descriptor.h"

/*
 * The table is laid out twice by the same code: the first pass counts bytes (memory is NULL), the
 * second writes them.
 */
struct layout {
    char *memory;
    size_t size;
};

static uint32_t place(struct layout *layout, const void *bytes, size_t size, size_t alignment)
{
    size_t offset = (layout->size + alignment - 1) / alignment * alignment;

    if (layout->memory && size)
        memcpy(layout->memory + offset, bytes, size);
    layout->size = offset + size;
    return (uint32_t)offset;
}

static uint32_t place_text(struct layout *layout, const char *text)
{
    return text ? place(layout, text, strlen(text) + 1, 1) : 0;
}

static void place_service(struct layout *layout, struct table_service *service,
                          const struct table_service_spec *spec)
{
    memset(service, 0, sizeof(*service));
    strncpy(service->name, spec->name, sizeof(service->name) - 1);
    service->host = place_text(layout, spec->host);
    service->path = place_text(layout, spec->path);
    service->rules = spec->rules;
    service->key_count = spec->key_count;
    for (unsigned i = 0; i < spec->key_count; i++) {
        service->keys[i] = (struct table_key){
            .kind = spec->keys[i].kind,
            .number = spec->keys[i].number,
            .number6 = spec->keys[i].number6,
            .text = place_text(layout, spec->keys[i].text),
        };
    }
    service->replica_count = spec->replica_count;
    service->replicas =
        place(layout, spec->replicas, spec->replica_count * sizeof(struct table_replica),
              _Alignof(struct table_replica));
    service->image_bytes = (uint32_t)balance_image_bytes(spec->image);
    service->image = place(layout, spec->image, service->image_bytes, BALANCE_ALIGNMENT);
    if (!spec->previous)
        return;
    service->previous_bytes = (uint32_t)balance_image_bytes(spec->previous);
    service->previous = place(layout, spec->previous, service->previous_bytes, BALANCE_ALIGNMENT);
}

/* One digest over the placements of all services, in their order. */
static void write_digest(struct table *table, const struct table_spec *spec)
{
    struct balance_digest all = {0, 0};

    for (unsigned i = 0; i < spec->service_count; i++) {
        struct balance_digest one = balance_digest(spec->services[i].image);

        all.low = all.low * UINT64_C(0x9e3779b97f4a7c15) + one.low;
        all.high = all.high * UINT64_C(0xc2b2ae3d27d4eb4f) + one.high;
    }
    if (spec->service_count == 1)
        all = balance_digest(spec->services[0].image);
    balance_digest_text(all, table->digest);
}

static void lay_out(struct layout *layout, const struct table_spec *spec)
{
    struct table_service services[TABLE_SERVICES_MAX];
    struct table table = {
        .magic = TABLE_MAGIC,
        .version = TABLE_VERSION,
        .epoch = spec->epoch,
        .service_count = spec->service_count,
        .listener_count = spec->listener_count,
        .settings = spec->settings,
    };

    layout->size = sizeof(table);
    for (unsigned i = 0; i < spec->service_count; i++)
        place_service(layout, &services[i], &spec->services[i]);
    table.services = place(layout, services, spec->service_count * sizeof(services[0]),
                           _Alignof(struct table_service));
    table.bytes = layout->size;
    if (!layout->memory)
        return;
    write_digest(&table, spec);
    if (spec->listener_count)
        memcpy(table.listeners, spec->listeners, spec->listener_count * sizeof(table.listeners[0]));
    memcpy(layout->memory, &table, sizeof(table));
}

static int write_file(int fd, const struct table_spec *spec, struct error *why)
{
    struct layout layout = {NULL, 0};
    size_t bytes;

    lay_out(&layout, spec);
    bytes = layout.size;
    if (bytes > TABLE_BYTES_MAX)
        return error_set(why, -E2BIG, "the table would have %zu bytes", bytes);
    if (ftruncate(fd, (off_t)bytes) < 0)
        return error_set(why, -errno, "a table of %zu bytes: %s", bytes, strerror(errno));
    layout.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (layout.memory == MAP_FAILED)
        return error_set(why, -errno, "a table of %zu bytes: %s", bytes, strerror(errno));
    lay_out(&layout, spec);
    assert(layout.size == bytes);
    munmap(layout.memory, bytes);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return error_set(why, -errno, "sealing the table: %s", strerror(errno));
    return 0;
}

static int check(const struct table_spec *spec, struct error *why)
{
    if (spec->service_count > TABLE_SERVICES_MAX)
        return error_set(why, -E2BIG, "at most %d services", TABLE_SERVICES_MAX);
    if (spec->listener_count > TABLE_LISTENERS_MAX)
        return error_set(why, -E2BIG, "at most %d listeners", TABLE_LISTENERS_MAX);
    for (unsigned i = 0; i < spec->service_count; i++) {
        const struct table_service_spec *service = &spec->services[i];

        if (strlen(service->name) >= TABLE_NAME_BYTES)
            return error_set(why, -EINVAL, "the name of service \"%.80s\" is too long",
                             service->name);
        if (service->key_count > TABLE_KEY_SOURCES_MAX)
            return error_set(why, -E2BIG, "service %s: at most %d key sources", service->name,
                             TABLE_KEY_SOURCES_MAX);
        if (service->replica_count > TABLE_REPLICAS_MAX)
            return error_set(why, -E2BIG, "service %s: at most %d replicas", service->name,
                             TABLE_REPLICAS_MAX);
        if (service->replica_count != balance_count(service->image))
            return error_set(why, -EINVAL, "service %s: its image is of other replicas",
                             service->name);
    }
    return 0;
}

int table_build(const struct table_spec *spec, int *fd, struct error *why)
{
    int result = check(spec, why);
    int file;

    if (result < 0)
        return result;
    file = memfd_create("roost-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return error_set(why, -errno, "memfd_create: %s", strerror(errno));
    result = write_file(file, spec, why);
    if (result < 0) {
        descriptor_close(&file);
        return result;
    }
    *fd = file;
    return 0;
}
