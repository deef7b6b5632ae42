#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/memory.h"

#define PATH_BYTES     4096
#define SCHEMA_VERSION 1

struct state {
    sqlite3 *base;
    char path[PATH_BYTES];
};

static const char schema[] =
    "PRAGMA user_version = 1;"
    "CREATE TABLE service (name TEXT PRIMARY KEY, declaration TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE member ("
    "  position INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  service TEXT NOT NULL, name TEXT NOT NULL,"
    "  id INTEGER NOT NULL, weight INTEGER NOT NULL, is_pending INTEGER NOT NULL,"
    "  UNIQUE (service, name));"
    "CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

/* ---- small things ---- */

static int fail(const struct state *state, const char *what, struct error *why)
{
    int code = sqlite3_errcode(state->base) & 0xff;

    error_set(why, 0, "cannot %s in %s: %s%s", what, state->path, sqlite3_errmsg(state->base),
              code == SQLITE_NOTADB || code == SQLITE_CORRUPT
                  ? "; roost serve --reset forgets the pool"
                  : "");
    return code == SQLITE_FULL ? -ENOSPC : -EIO;
}

static int run(struct state *state, const char *sql, const char *what, struct error *why)
{
    return sqlite3_exec(state->base, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                         : fail(state, what, why);
}

static sqlite3_stmt *prepare(struct state *state, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    sqlite3_prepare_v2(state->base, sql, -1, &statement, NULL);
    return statement;
}

static void bind_text(sqlite3_stmt *statement, int number, const char *text)
{
    sqlite3_bind_text(statement, number, text, -1, SQLITE_TRANSIENT);
}

/* Runs a statement without rows and ends it. */
static int finish(struct state *state, sqlite3_stmt *statement, const char *what, struct error *why)
{
    int result = 0;

    if (!statement)
        return fail(state, what, why);
    if (sqlite3_step(statement) != SQLITE_DONE)
        result = fail(state, what, why);
    sqlite3_finalize(statement);
    return result;
}

static int begin(struct state *state, struct error *why)
{
    return run(state, "BEGIN IMMEDIATE", "begin a change", why);
}

/* Makes a change stand, or undoes it where `result` says that a part of it failed. */
static int end(struct state *state, int result, struct error *why)
{
    if (result == 0)
        result = run(state, "COMMIT", "keep a change", why);
    if (result < 0 && !sqlite3_get_autocommit(state->base))
        sqlite3_exec(state->base, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

/* ---- opening ---- */

static void remove_files(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char file[PATH_BYTES + 16];

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        snprintf(file, sizeof(file), "%s%s", path, ends[i]);
        unlink(file);
    }
}

static int version_of(struct state *state)
{
    sqlite3_stmt *statement = prepare(state, "PRAGMA user_version");
    int version = -1;

    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static int make_tables(struct state *state, struct error *why)
{
    int version = version_of(state);
    int result;

    if (version == SCHEMA_VERSION)
        return 0;
    if (version > SCHEMA_VERSION)
        return error_set(why, -ENOTSUP, "%s is of a newer roost (its form is %d, ours is %d)",
                         state->path, version, SCHEMA_VERSION);
    if (version < 0)
        return error_set(why, -EIO, "%s cannot be read: %s; roost serve --reset forgets the pool",
                         state->path, sqlite3_errmsg(state->base));
    result = begin(state, why);
    if (result == 0)
        result = end(state, run(state, schema, "make the tables", why), why);
    return result;
}

static int prepare_base(struct state *state, struct error *why)
{
    /* Nobody else opens it, so the index of the log needs no shared memory. */
    int result = run(state,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                     "PRAGMA wal_autocheckpoint = 256; PRAGMA trusted_schema = OFF;",
                     "open the state", why);

    if (result == 0)
        result = make_tables(state, why);
    if (result == 0)
        result = run(state, "DELETE FROM member WHERE is_pending", "forget what never was", why);
    return result;
}

int state_open(struct state **state, const char *folder, bool forgets, struct error *why)
{
    struct state *made = memory_allocate(sizeof(*made));
    mode_t mask;
    int result;

    if (snprintf(made->path, sizeof(made->path), "%s/state.db", folder) >=
        (int)sizeof(made->path)) {
        free(made);
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is too long");
    }
    if (forgets)
        remove_files(made->path);
    mask = umask(0077);
    result =
        sqlite3_open_v2(made->path, &made->base,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    result = result == SQLITE_OK ? prepare_base(made, why) : fail(made, "open the state", why);
    umask(mask);
    if (result < 0) {
        state_close(made);
        return result;
    }
    *state = made;
    return 0;
}

void state_close(struct state *state)
{
    if (!state)
        return;
    sqlite3_close(state->base);
    free(state);
}

/* ---- pools ---- */

void state_forget_pool(struct state_pool *pool)
{
    free(pool->declaration);
    free(pool->members);
    *pool = (struct state_pool){0};
}

static int load_declaration(struct state *state, const char *service, struct state_pool *pool,
                            struct error *why)
{
    sqlite3_stmt *statement = prepare(state, "SELECT declaration FROM service WHERE name = ?1");
    int step;

    if (!statement)
        return fail(state, "read the state", why);
    bind_text(statement, 1, service);
    step = sqlite3_step(statement);
    if (step == SQLITE_ROW)
        pool->declaration = memory_copy_text((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : fail(state, "read the state", why);
}

static void take_member(sqlite3_stmt *row, struct state_pool *pool)
{
    struct state_member *member;

    pool->members = memory_resize(pool->members, (pool->count + 1) * sizeof(*pool->members));
    member = &pool->members[pool->count++];
    snprintf(member->name, sizeof(member->name), "%s", (const char *)sqlite3_column_text(row, 0));
    member->id = (uint32_t)sqlite3_column_int64(row, 1);
    member->weight = (uint32_t)sqlite3_column_int64(row, 2);
}

static int load_members(struct state *state, const char *service, struct state_pool *pool,
                        struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "SELECT name, id, weight FROM member WHERE service = ?1 AND NOT is_pending"
                       " ORDER BY position");
    int step;

    if (!statement)
        return fail(state, "read the state", why);
    bind_text(statement, 1, service);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW)
        take_member(statement, pool);
    sqlite3_finalize(statement);
    return step == SQLITE_DONE ? 0 : fail(state, "read the state", why);
}

int state_load(struct state *state, const char *service, struct state_pool *pool, struct error *why)
{
    struct state_pool found = {0};
    int result = load_declaration(state, service, &found, why);

    if (result == 0)
        result = load_members(state, service, &found, why);
    if (result < 0) {
        state_forget_pool(&found);
        return result;
    }
    *pool = found;
    return 0;
}

static int delete_service(struct state *state, const char *service, struct error *why)
{
    sqlite3_stmt *members = prepare(state, "DELETE FROM member WHERE service = ?1");
    sqlite3_stmt *row = prepare(state, "DELETE FROM service WHERE name = ?1");
    int result;

    bind_text(members, 1, service);
    bind_text(row, 1, service);
    result = finish(state, members, "change the pool", why);
    if (result < 0) {
        sqlite3_finalize(row);
        return result;
    }
    return finish(state, row, "change the pool", why);
}

static int insert_members(struct state *state, const char *service,
                          const struct state_member *members, unsigned count, bool is_pending,
                          struct error *why)
{
    for (unsigned i = 0; i < count; i++) {
        sqlite3_stmt *statement =
            prepare(state, "INSERT INTO member (service, name, id, weight, is_pending)"
                           " VALUES (?1, ?2, ?3, ?4, ?5)");
        int result;

        bind_text(statement, 1, service);
        bind_text(statement, 2, members[i].name);
        sqlite3_bind_int64(statement, 3, members[i].id);
        sqlite3_bind_int64(statement, 4, members[i].weight);
        sqlite3_bind_int(statement, 5, is_pending);
        result = finish(state, statement, "change the pool", why);
        if (result < 0)
            return result;
    }
    return 0;
}

static int insert_service(struct state *state, const char *service, const struct state_pool *pool,
                          struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "INSERT INTO service (name, declaration) VALUES (?1, ?2)");
    int result;

    bind_text(statement, 1, service);
    bind_text(statement, 2, pool->declaration);
    result = finish(state, statement, "change the pool", why);
    if (result == 0)
        result = insert_members(state, service, pool->members, pool->count, false, why);
    return result;
}

int state_replace(struct state *state, const char *service, const struct state_pool *pool,
                  struct error *why)
{
    int result = begin(state, why);

    if (result < 0)
        return result;
    result = delete_service(state, service, why);
    if (result == 0)
        result = insert_service(state, service, pool, why);
    return end(state, result, why);
}

static bool is_listed(const char *const *services, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(services[i], name) == 0)
            return true;
    }
    return false;
}

int state_keep_services(struct state *state, const char *const *services, unsigned count,
                        struct error *why)
{
    sqlite3_stmt *statement = prepare(state, "SELECT name FROM service");
    int result = 0;

    if (!statement)
        return fail(state, "read the state", why);
    while (result == 0 && sqlite3_step(statement) == SQLITE_ROW) {
        char *name = memory_copy_text((const char *)sqlite3_column_text(statement, 0));

        if (!is_listed(services, count, name))
            result = delete_service(state, name, why);
        free(name);
    }
    sqlite3_finalize(statement);
    return result;
}

static int add(struct state *state, const char *service, const struct state_member *members,
               unsigned count, bool is_pending, struct error *why)
{
    int result = begin(state, why);

    if (result < 0)
        return result;
    return end(state, insert_members(state, service, members, count, is_pending, why), why);
}

int state_add(struct state *state, const char *service, const struct state_member *members,
              unsigned count, struct error *why)
{
    return add(state, service, members, count, false, why);
}

int state_begin_add(struct state *state, const char *service, const struct state_member *members,
                    unsigned count, struct error *why)
{
    return add(state, service, members, count, true, why);
}

int state_confirm_add(struct state *state, const char *service, struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "UPDATE member SET is_pending = 0 WHERE service = ?1 AND is_pending");

    bind_text(statement, 1, service);
    return finish(state, statement, "confirm a change", why);
}

int state_cancel_add(struct state *state, const char *service, struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "DELETE FROM member WHERE service = ?1 AND is_pending");

    bind_text(statement, 1, service);
    return finish(state, statement, "take back a change", why);
}

int state_remove(struct state *state, const char *service, char (*names)[STATE_NAME_BYTES],
                 unsigned count, struct error *why)
{
    int result = begin(state, why);

    if (result < 0)
        return result;
    for (unsigned i = 0; result == 0 && i < count; i++) {
        sqlite3_stmt *statement =
            prepare(state, "DELETE FROM member WHERE service = ?1 AND name = ?2");

        bind_text(statement, 1, service);
        bind_text(statement, 2, names[i]);
        result = finish(state, statement, "change the pool", why);
    }
    return end(state, result, why);
}

int state_set_weight(struct state *state, const char *service, const char *name, uint32_t weight,
                     struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "UPDATE member SET weight = ?3 WHERE service = ?1 AND name = ?2");

    bind_text(statement, 1, service);
    bind_text(statement, 2, name);
    sqlite3_bind_int64(statement, 3, weight);
    return finish(state, statement, "change a weight", why);
}

/* ---- numbers ---- */

uint64_t state_number(struct state *state, const char *name)
{
    sqlite3_stmt *statement = prepare(state, "SELECT value FROM number WHERE name = ?1");
    uint64_t value = 0;

    bind_text(statement, 1, name);
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        value = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

int state_set_number(struct state *state, const char *name, uint64_t number, struct error *why)
{
    sqlite3_stmt *statement =
        prepare(state, "INSERT INTO number (name, value) VALUES (?1, ?2)"
                       " ON CONFLICT (name) DO UPDATE SET value = excluded.value");

    bind_text(statement, 1, name);
    sqlite3_bind_int64(statement, 2, (int64_t)number);
    return finish(state, statement, "remember a number", why);
}
