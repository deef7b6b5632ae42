/* `roost worker`: started by the keeper only, with a link in its hands. */
#pragma once

int worker_word_main(int argc, char **argv);
