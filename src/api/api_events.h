/*
 * GET /v1/events: what happens, as server-sent events (WHATWG HTML 9.2).
 *
 * ?last=N begins with the last N events, Last-Event-ID (or ?last-event-id=) with those after it;
 * an event `gap` says that some between are forgotten. ?follow=false ends with the newest event.
 * Who takes nothing for half a minute, or falls behind the events that are kept, is cut off and
 * may come back with the id he has.
 */
#pragma once

#include "control/api.h"

#define API_EVENTS_FOLLOWERS_MAX 128

void api_events(struct api_request *request);
