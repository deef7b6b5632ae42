/* File descriptors: closed once, never by accident. */
#pragma once

#include <stdbool.h>

#include "base/attribute.h"
#include "base/error.h"

/* Closes *fd if it is one and sets it to -1. errno is kept. */
void descriptor_close(int *fd);

MUST_USE int descriptor_set_nonblocking(int fd, bool is_nonblocking);

/* Raises this process's limit of open files to the hard limit; returns the limit then in force. */
unsigned long descriptor_raise_limit(void);
