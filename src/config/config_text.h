/* Which texts may stand where. */
#pragma once

#include "base/view.h"

/* UTF-8 without control characters but for those in `allowed`, and of a length that is sane. */
bool config_text_is_printable(struct view text, const char *allowed);

/* Whether it may be the name of a replica: 1 to 63 letters, digits, space, '.', '_', '-' of ASCII,
 * the first and the last a letter or digit. */
bool config_text_is_name(struct view text);

/* The host of a request, "*." before it for every name under it. */
bool config_text_is_host(struct view text);

/* The path of a request, perhaps with a query. */
bool config_text_is_url_path(struct view text);

/* IP:PORT, the port not 0. */
bool config_text_is_endpoint(struct view text);

/* IP or IP:PORT, IPv6 before a port in brackets. */
bool config_text_is_resolver(struct view text);

/* NAME:PORT, a name of DNS. */
bool config_text_is_host_port(struct view text);

/* The name of a variable in an environment (POSIX 8.1, lower case too). */
bool config_text_is_variable(struct view text);
