/*
 * What the resources of /v1 have in common: which service and replica a path means, epochs as
 * entity tags, how a replica looks in JSON.
 */
#pragma once

#include "control/api.h"
#include "control/crew.h"

/* An entity tag: an epoch in quotes. */
#define API_V1_TAG_BYTES 24

/* The service a request is about: that of its path, else that of ?service=, else the first. NULL
 * after an answer of 404. */
struct crew *api_v1_crew(struct api_request *request);

/* The replica that the path ends with; NULL after an answer of 404. */
struct crew_member *api_v1_member(struct api_request *request, struct crew *crew);

/* Says of which epoch the answer is: ETag. */
void api_v1_add_tag(struct api_request *request);

/*
 * What If-Match asks for (RFC 9110 13.1.1): the newest epoch it names, 0 where there is none or it
 * is "*". False after an answer of 412: it names none of ours.
 */
bool api_v1_read_tag(struct api_request *request, uint64_t *epoch);

/* Only these keys in `body`? False after an answer of 400. `keys` ends with NULL. */
bool api_v1_check_keys(struct api_request *request, const json_t *body, const char *const *keys);

/*
 * Reads {"count": n, "names": [...]} into count, names and name_count of `wish`; names is the
 * caller's to free() in any case. Where there is no count it is that of the names, at least one.
 * False after an answer of 400.
 */
bool api_v1_read_wish(struct api_request *request, const json_t *body, struct crew_wish *wish);

/* The members as they are, each with its share of the keys. */
json_t *api_v1_members_json(const struct crew *crew);
json_t *api_v1_member_json(const struct crew_member *member);

/* A replica, also one that is no member (yet, or any more). */
json_t *api_v1_replica_json(const struct replica *replica);

/* The status of a call's result (control/crew.h), 202 for one that is still under way. */
uint16_t api_v1_status_of(int result);
