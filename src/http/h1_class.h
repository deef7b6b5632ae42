/* What each byte may be in a message (RFC 9110 5.6, RFC 3986 2 and 3): one table, one load. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define H1_CLASS_TOKEN  0x01 /* tchar, RFC 9110 5.6.2 */
#define H1_CLASS_VALUE  0x02 /* VCHAR, obs-text, SP, HTAB: inside a field value, RFC 9110 5.5 */
#define H1_CLASS_TARGET 0x04 /* VCHAR but for '#': inside a request target */
#define H1_CLASS_HOST                                                                              \
    0x08 /* unreserved, sub-delims: a reg-name but for its escapes, RFC 3986 3.2.2 */
#define H1_CLASS_DIGIT  0x10
#define H1_CLASS_HEX    0x20
#define H1_CLASS_QUOTED 0x40 /* qdtext, RFC 9110 5.6.4 */
#define H1_CLASS_BLANK  0x80 /* SP, HTAB */

extern const uint8_t h1_class_table[256];

/* Is `byte` of at least one of the `classes`? */
static inline bool h1_class_is(char byte, uint8_t classes)
{
    return (h1_class_table[(unsigned char)byte] & classes) != 0;
}

/* The value of a hexadecimal digit. */
static inline unsigned h1_class_hex_value(char digit)
{
    unsigned byte = (unsigned char)digit;

    return (byte & 0xf) + 9 * (byte >> 6);
}
