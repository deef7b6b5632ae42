/* The classic calls: GET /rep, POST /add, DELETE /rm. They act on the first service. */
#pragma once

#include "control/api.h"

void api_classic_list(struct api_request *request);
void api_classic_add(struct api_request *request);
void api_classic_remove(struct api_request *request);

/* May a replica be called so? 1 to 63 of ASCII letters, digits, space . _ -, the first and the last
 * of them a letter or digit. */
bool api_classic_is_name(const char *name);

/* The status that tells of a crew's errno (control/crew.h). */
uint16_t api_classic_status(int result);
