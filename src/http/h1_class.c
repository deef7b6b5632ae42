#include "http/h1_class.h"

/* Short names for the table: letters, digits and so on, each with all it may be. */
#define LETTER  (H1_CLASS_TOKEN | H1_CLASS_VALUE | H1_CLASS_TARGET | H1_CLASS_HOST | H1_CLASS_QUOTED)
#define HEXLET  (LETTER | H1_CLASS_HEX)
#define DIGIT   (LETTER | H1_CLASS_HEX | H1_CLASS_DIGIT)
#define VISIBLE (H1_CLASS_VALUE | H1_CLASS_TARGET | H1_CLASS_QUOTED)
#define TOKEN   (VISIBLE | H1_CLASS_TOKEN)
#define HOST    (VISIBLE | H1_CLASS_HOST)
#define HASH    (H1_CLASS_VALUE | H1_CLASS_TOKEN | H1_CLASS_QUOTED)
#define ESCAPE  (H1_CLASS_VALUE | H1_CLASS_TARGET)
#define BLANK   (H1_CLASS_VALUE | H1_CLASS_QUOTED | H1_CLASS_BLANK)
#define OBS     (H1_CLASS_VALUE | H1_CLASS_QUOTED)

/* clang-format off */
const uint8_t h1_class_table[256] = {
    ['\t'] = BLANK, [' '] = BLANK,
    ['!'] = LETTER, ['"'] = ESCAPE, ['#'] = HASH, ['$'] = LETTER, ['%'] = TOKEN,
    ['&'] = LETTER, ['\''] = LETTER, ['('] = HOST, [')'] = HOST, ['*'] = LETTER,
    ['+'] = LETTER, [','] = HOST, ['-'] = LETTER, ['.'] = LETTER, ['/'] = VISIBLE,
    ['0'] = DIGIT, ['1'] = DIGIT, ['2'] = DIGIT, ['3'] = DIGIT, ['4'] = DIGIT,
    ['5'] = DIGIT, ['6'] = DIGIT, ['7'] = DIGIT, ['8'] = DIGIT, ['9'] = DIGIT,
    [':'] = VISIBLE, [';'] = HOST, ['<'] = VISIBLE, ['='] = HOST, ['>'] = VISIBLE,
    ['?'] = VISIBLE, ['@'] = VISIBLE, ['A'] = HEXLET, ['B'] = HEXLET, ['C'] = HEXLET,
    ['D'] = HEXLET, ['E'] = HEXLET, ['F'] = HEXLET, ['G'] = LETTER, ['H'] = LETTER,
    ['I'] = LETTER, ['J'] = LETTER, ['K'] = LETTER, ['L'] = LETTER, ['M'] = LETTER,
    ['N'] = LETTER, ['O'] = LETTER, ['P'] = LETTER, ['Q'] = LETTER, ['R'] = LETTER,
    ['S'] = LETTER, ['T'] = LETTER, ['U'] = LETTER, ['V'] = LETTER, ['W'] = LETTER,
    ['X'] = LETTER, ['Y'] = LETTER, ['Z'] = LETTER, ['['] = VISIBLE, ['\\'] = ESCAPE,
    [']'] = VISIBLE, ['^'] = TOKEN, ['_'] = LETTER, ['`'] = TOKEN, ['a'] = HEXLET,
    ['b'] = HEXLET, ['c'] = HEXLET, ['d'] = HEXLET, ['e'] = HEXLET, ['f'] = HEXLET,
    ['g'] = LETTER, ['h'] = LETTER, ['i'] = LETTER, ['j'] = LETTER, ['k'] = LETTER,
    ['l'] = LETTER, ['m'] = LETTER, ['n'] = LETTER, ['o'] = LETTER, ['p'] = LETTER,
    ['q'] = LETTER, ['r'] = LETTER, ['s'] = LETTER, ['t'] = LETTER, ['u'] = LETTER,
    ['v'] = LETTER, ['w'] = LETTER, ['x'] = LETTER, ['y'] = LETTER, ['z'] = LETTER,
    ['{'] = VISIBLE, ['|'] = TOKEN, ['}'] = VISIBLE, ['~'] = LETTER,
    [0x80 ... 0xff] = OBS,
};
/* clang-format on */
