/* What all words of the command line share: their exit statuses. */
#pragma once

enum { WORD_DONE = 0, WORD_FAILED = 1, WORD_USAGE = 2 };
