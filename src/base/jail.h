/*
 * The system calls that a process may still make (seccomp, by libseccomp, on x86-64 and arm64).
 * What every process may that reads what strangers send stands here: serving what it has got. Each
 * kind of process adds what it alone needs, most of all which sockets it may open.
 *
 * Killed is whoever does what only an intruder would: starts a program, opens a file, traces or
 * signals another process, makes memory executable, opens a socket of a family that is not in the
 * list. Any other call that is not in the list answers EPERM and is counted, by a handler for the
 * SIGSYS that stands for such a refusal (SECCOMP_RET_TRAP): the kernel alone does not count.
 *
 * Sanitizers read files and start a tracer of their own: their builds have a wider list.
 *
 * Owner: the process; there is no way out.
 */
#pragma once

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attribute.h"
#include "base/error.h"

/* Whether this build has the wider list. */
#define JAIL_IS_WIDE HAS_ASAN

/* Refusals that are told one by one. */
#define JAIL_REFUSALS_TOLD_MAX 20

#define JAIL_NAME_BYTES 32

/* A call and what its arguments must be, at most one check for each; no check: with any. A call
 * that this architecture has not is passed over: its number is negative. */
struct jail_rule {
    int call;
    unsigned count;
    struct scmp_arg_cmp checks[3];
};

#define JAIL_EQUALS(argument, value)                                                               \
    {                                                                                              \
        (argument), SCMP_CMP_EQ, (uint64_t)(value), 0                                              \
    }
#define JAIL_HAS_BITS(argument, mask, set)                                                         \
    {                                                                                              \
        (argument), SCMP_CMP_MASKED_EQ, (mask), (uint64_t)(set)                                    \
    }

/* Bits of socket()'s second argument that are the type. */
#define JAIL_SOCKET_TYPE_MASK 0xf

/* What one kind of process may beside what all may who are locked in. */
struct jail {
    const struct jail_rule *rules; /* where a call has several, one has to fit */
    size_t rule_count;
    const int *families; /* of sockets, all else kills */
    size_t family_count;
};

/* A call that was refused. */
struct jail_refusal {
    char name[JAIL_NAME_BYTES];
    int number;
    uint64_t total; /* refused so far */
};

/* Gives up all capabilities but those of `kept`, a mask of 1 << CAP_…; none is gained. */
MUST_USE int jail_drop_capabilities(uint64_t kept, struct error *why);

/* Locks this process in: no core dumps, no new privileges (PR_SET_NO_NEW_PRIVS), and the list. On
 * failure the process must not go on. */
MUST_USE int jail_enter(const struct jail *jail, struct error *why);

/* Calls refused so far: each is a mistake of ours or an attack. */
uint64_t jail_refusals(void);

/* The last call that was refused, where one was since this was asked before and not too many were
 * told already. */
bool jail_next_refusal(struct jail_refusal *refusal);
