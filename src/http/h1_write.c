#include "http/h1_write.h"

#define NUMBER_BYTES_MAX 20 /* of 2^64 - 1 */

void h1_write_request_line(struct h1_writer *writer, struct view method, struct view target)
{
    h1_write_bytes(writer, method);
    h1_write_bytes(writer, VIEW(" "));
    /* "http://host?query" names no path: origin-form needs one (RFC 9112 3.2.1). */
    if (target.size && target.data[0] == '?')
        h1_write_bytes(writer, VIEW("/"));
    h1_write_bytes(writer, target);
    h1_write_bytes(writer, VIEW(" HTTP/1.1\r\n"));
}

void h1_write_status_line(struct h1_writer *writer, uint16_t status, struct view reason)
{
    char digits[3] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10)};

    h1_write_bytes(writer, VIEW("HTTP/1.1 "));
    h1_write_bytes(writer, (struct view){digits, sizeof(digits)});
    h1_write_bytes(writer, VIEW(" "));
    h1_write_bytes(writer, reason.size ? reason : h1_write_reason(status));
    h1_write_bytes(writer, VIEW("\r\n"));
}

void h1_write_number_field(struct h1_writer *writer, struct view name, uint64_t value)
{
    char digits[NUMBER_BYTES_MAX];
    char *end = digits + sizeof(digits);
    char *at = end;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    h1_write_field(writer, name, view_between(at, end));
}

void h1_write_framing(struct h1_writer *writer, struct body_framing body)
{
    if (body.kind == FRAMING_LENGTH)
        h1_write_number_field(writer, VIEW("Content-Length"), body.length);
    if (body.kind == FRAMING_CHUNKED)
        h1_write_field(writer, VIEW("Transfer-Encoding"), VIEW("chunked"));
}

struct view h1_write_reason(uint16_t status)
{
    static const struct {
        uint16_t status;
        struct view reason;
    } reasons[] = {
        {200, VIEW("OK")},
        {100, VIEW("Continue")},
        {101, VIEW("Switching Protocols")},
        {103, VIEW("Early Hints")},
        {201, VIEW("Created")},
        {202, VIEW("Accepted")},
        {203, VIEW("Non-Authoritative Information")},
        {204, VIEW("No Content")},
        {205, VIEW("Reset Content")},
        {206, VIEW("Partial Content")},
        {300, VIEW("Multiple Choices")},
        {301, VIEW("Moved Permanently")},
        {302, VIEW("Found")},
        {303, VIEW("See Other")},
        {304, VIEW("Not Modified")},
        {305, VIEW("Use Proxy")},
        {307, VIEW("Temporary Redirect")},
        {308, VIEW("Permanent Redirect")},
        {400, VIEW("Bad Request")},
        {401, VIEW("Unauthorized")},
        {402, VIEW("Payment Required")},
        {403, VIEW("Forbidden")},
        {404, VIEW("Not Found")},
        {405, VIEW("Method Not Allowed")},
        {406, VIEW("Not Acceptable")},
        {407, VIEW("Proxy Authentication Required")},
        {408, VIEW("Request Timeout")},
        {409, VIEW("Conflict")},
        {410, VIEW("Gone")},
        {411, VIEW("Length Required")},
        {412, VIEW("Precondition Failed")},
        {413, VIEW("Content Too Large")},
        {414, VIEW("URI Too Long")},
        {415, VIEW("Unsupported Media Type")},
        {416, VIEW("Range Not Satisfiable")},
        {417, VIEW("Expectation Failed")},
        {421, VIEW("Misdirected Request")},
        {422, VIEW("Unprocessable Content")},
        {426, VIEW("Upgrade Required")},
        {428, VIEW("Precondition Required")},
        {429, VIEW("Too Many Requests")},
        {431, VIEW("Request Header Fields Too Large")},
        {500, VIEW("Internal Server Error")},
        {501, VIEW("Not Implemented")},
        {502, VIEW("Bad Gateway")},
        {503, VIEW("Service Unavailable")},
        {504, VIEW("Gateway Timeout")},
        {505, VIEW("HTTP Version Not Supported")},
    };

    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return (struct view){"", 0};
}
