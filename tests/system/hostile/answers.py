"""Raw answers of a replica: what the client may see of each."""

from hostile.case import bad, cut, passes

OK = "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"
POISON = "HTTP/1.1 200 OK\nContent-Length: 6\n\npoison"


def answer(*lines, status="HTTP/1.1 200 OK", body="ok"):
    return "".join(line + "\n" for line in [status, *lines]) + "\n" + body


def length(value, body="ok", **more):
    return answer(f"Content-Length: {value}", body=body, **more)


def chunked(body, *lines):
    return answer("Transfer-Encoding: chunked", *lines, body=body)


STATUS_LINE = [
    passes("200", "RFC 9112 4", OK, is_reused=True),
    passes("no reason", "RFC 9112 4", length(2, status="HTTP/1.1 200 "), is_reused=True),
    passes("no reason and no blank", "RFC 9112 4", length(2, status="HTTP/1.1 200")),
    passes("a reason of bytes above 127", "RFC 9112 4", length(2, status="HTTP/1.1 200 \xe4\xff")),
    passes("a long reason", "RFC 9112 4", length(2, status="HTTP/1.1 200 " + "x" * 8000)),
    passes("HTTP/1.0", "RFC 9112 9.3", length(2, status="HTTP/1.0 200 OK"), is_reused=False),
    passes("HTTP/1.0 that stays", "RFC 9112 C.2.2", length(2, status="HTTP/1.0 200 OK").replace("\n", "\nConnection: keep-alive\n", 1)),
    passes("HTTP/1.2 is read as 1.1", "RFC 9110 2.5", length(2, status="HTTP/1.2 200 OK")),
    passes("599", "RFC 9110 15", length(2, status="HTTP/1.1 599 Own"), status=599),
    passes("299", "RFC 9110 15", length(2, status="HTTP/1.1 299 x"), status=299),
    passes("421 is the replica's", "RFC 9110 15.5.20", length(2, status="HTTP/1.1 421 x"), status=421),
    bad("099", "RFC 9110 15", length(2, status="HTTP/1.1 099 x")),
    bad("600", "RFC 9110 15", length(2, status="HTTP/1.1 600 x")),
    bad("000", "RFC 9110 15", length(2, status="HTTP/1.1 000 x")),
    bad("two digits", "RFC 9112 4", length(2, status="HTTP/1.1 20 OK")),
    bad("four digits", "RFC 9112 4", length(2, status="HTTP/1.1 2000 OK")),
    bad("a sign", "RFC 9112 4", length(2, status="HTTP/1.1 +20 OK")),
    bad("a letter", "RFC 9112 4", length(2, status="HTTP/1.1 2x0 OK")),
    bad("no status", "RFC 9112 4", length(2, status="HTTP/1.1 OK")),
    bad("two blanks before the status", "RFC 9112 4", length(2, status="HTTP/1.1  200 OK")),
    bad("a tab before the status", "RFC 9112 4", length(2, status="HTTP/1.1\t200 OK")),
    bad("a tab behind the status", "RFC 9112 4", length(2, status="HTTP/1.1 200\tOK")),
    bad("a word at the status", "RFC 9112 4", length(2, status="HTTP/1.1 200OK")),
    bad("a blank before", "RFC 9112 4", length(2, status=" HTTP/1.1 200 OK")),
    bad("an empty line before", "RFC 9112 2.2", "\n" + OK),
    bad("HTTP/2.0", "RFC 9110 2.5", length(2, status="HTTP/2.0 200 OK")),
    bad("HTTP/0.9", "RFC 9112 4", "just a body\n\n"),
    bad("http/1.1", "RFC 9112 2.3", length(2, status="http/1.1 200 OK")),
    bad("HTTP/1.10", "RFC 9112 2.3", length(2, status="HTTP/1.10 200 OK")),
    bad("ICY", "RFC 9112 4", length(2, status="ICY 200 OK")),
    bad("SSH", "RFC 9112 4", "SSH-2.0-OpenSSH_9\n\n"),
    bad("a TLS alert", "RFC 9112 4", b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n"),
    bad("a request", "RFC 9112 4", "GET / HTTP/1.1\nHost: a\n\n"),
    bad("a NUL in the reason", "RFC 9112 4", length(2, status="HTTP/1.1 200 O␀K")),
    bad("a bare CR in the reason", "CVE-2022-37436", length(2, status="HTTP/1.1 200 O␍K")),
    bad("a bare LF behind the line", "RFC 9112 2.2", "HTTP/1.1 200 OK␊Content-Length: 2\n\nok"),
]

FRAMING = [
    passes("a length of 0", "RFC 9110 8.6", length(0, ""), body="", is_reused=True),
    passes("zeros before the length", "RFC 9110 8.6", length("0002"), is_reused=True),
    passes("chunked", "RFC 9112 7.1", chunked("2\nok\n0\n\n"), is_reused=True),
    passes("chunked in capitals", "RFC 9112 7", answer("transfer-encoding: CHUNKED", body="2\nok\n0\n\n"), is_reused=True),
    passes("an extension", "RFC 9112 7.1.1", chunked('2;a="b"\nok\n0;c\n\n'), is_reused=True),
    passes("a trailer", "RFC 9112 7.1.2", chunked("2\nok\n0\nX-Sum: 1\n\n"), trailers=[("x-sum", "1")], is_reused=True),
    passes("a trailer that frames does not pass", "RFC 9110 6.5.1", chunked("2\nok\n0\nContent-Length: 9\nSet-Cookie: a\n\n"), trailers=[]),
    passes("to the end", "RFC 9112 6.3", [answer(), "close"], is_reused=False),
    passes("to the end, though keep-alive is said", "RFC 9112 6.3", [answer("Connection: keep-alive"), "close"], is_reused=False),
    passes("to the end, and it looks like an answer", "RFC 9112 6.3", [answer(body=POISON), "close"], body=POISON, is_reused=False),
    passes("identity is no coding and so bad", "RFC 9112 7", answer("Transfer-Encoding: identity"), status=502, body=None),
    passes("HEAD with a length", "RFC 9110 9.3.2", length(12345, ""), method="HEAD", body="", is_reused=True),
    passes("HEAD with chunked", "RFC 9110 9.3.2", chunked(""), method="HEAD", body="", is_reused=True),
    passes("HEAD with a body", "RFC 9110 9.3.2", OK, method="HEAD", body="", is_reused=False),
    passes("204", "RFC 9110 15.3.5", answer(status="HTTP/1.1 204 x", body=""), status=204, body="", is_reused=True),
    passes("204 with a length", "RFC 9110 8.6", length(9, "", status="HTTP/1.1 204 x"), status=204, body="", lacks=["content-length"]),
    passes("204 with chunked", "RFC 9112 6.1", answer("Transfer-Encoding: chunked", status="HTTP/1.1 204 x", body=""), status=204, body="",
           lacks=["transfer-encoding"]),
    passes("204 with a body", "RFC 9112 6.3", answer(status="HTTP/1.1 204 x", body=POISON), status=204, body="", is_reused=False),
    passes("304 with a length", "RFC 9110 15.4.5", length(9, "", status="HTTP/1.1 304 x"), status=304, body="", is_reused=True),
    passes("304 with a body", "RFC 9112 6.3", length(2, "ok", status="HTTP/1.1 304 x"), status=304, body="", is_reused=False),
    passes("205 may have one", "RFC 9112 6.3", length(2, status="HTTP/1.1 205 x"), status=205),
    bad("length and chunked", "RFC 9112 6.3", answer("Content-Length: 2", "Transfer-Encoding: chunked", body="2\nok\n0\n\n")),
    bad("chunked and length", "RFC 9112 6.3", answer("Transfer-Encoding: chunked", "Content-Length: 2", body="2\nok\n0\n\n")),
    bad("two lengths", "RFC 9112 6.3", answer("Content-Length: 2", "Content-Length: 40")),
    bad("the same length twice", "RFC 9112 6.3", answer("Content-Length: 2", "Content-Length: 2")),
    bad("a list of lengths", "RFC 9112 6.3", length("2, 2")),
    bad("an empty length", "RFC 9110 8.6", length("")),
    bad("a negative length", "RFC 9110 8.6", length("-2")),
    bad("a signed length", "RFC 9110 8.6", length("+2")),
    bad("a hexadecimal length", "RFC 9110 8.6", length("0x2")),
    bad("2^63", "RFC 9110 8.6", length(2**63)),
    bad("2^64 + 2", "RFC 9110 8.6", length(2**64 + 2)),
    bad("a word behind the length", "RFC 9110 8.6", length("2 x")),
    bad("gzip", "RFC 9112 7", answer("Transfer-Encoding: gzip")),
    bad("gzip, chunked", "RFC 9112 7", answer("Transfer-Encoding: gzip, chunked", body="2\nok\n0\n\n")),
    bad("chunked twice", "RFC 9112 7.1", answer("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="2\nok\n0\n\n")),
    bad("an empty coding", "RFC 9112 6.1", answer("Transfer-Encoding:")),
    bad("a vertical tab before chunked", "CVE-2019-18277", answer("Transfer-Encoding: \x0bchunked", body="2\nok\n0\n\n")),
    bad("chunked in HTTP/1.0", "RFC 9112 6.1", answer("Transfer-Encoding: chunked", status="HTTP/1.0 200 OK", body="2\nok\n0\n\n")),
]

CHUNKS = [
    cut("no size", "RFC 9112 7.1", chunked("\nok\n0\n\n")),
    cut("a sign", "RFC 9112 7.1", chunked("+2\nok\n0\n\n")),
    cut("a prefix", "RFC 9112 7.1", chunked("0x2\nok\n0\n\n")),
    cut("a blank behind the size", "RFC 9112 7.1", chunked("2 \nok\n0\n\n")),
    cut("2^64 + 2", "RFC 9112 7.1", chunked("10000000000000002\nok\n0\n\n")),
    cut("a bare LF behind the size", "RFC 9112 7.1", chunked("2␊ok\n0\n\n")),
    cut("a bare LF behind the data", "RFC 9112 7.1", chunked("2\nok␊0\n\n")),
    cut("two bytes behind the data", "CVE-2025-43859", chunked("2\nokXX0\n\n")),
    cut("one byte too many", "RFC 9112 7.1", chunked("2\nokk\n0\n\n")),
    cut("an extension that never ends", "RFC 9112 7.1.1", chunked("2;" + "a" * 5000 + "\nok\n0\n\n")),
    cut("a folded trailer", "RFC 9112 5.2", chunked("2\nok\n0\nX: a\n b\n\n")),
    cut("a trailer without a name", "RFC 9112 5.1", chunked("2\nok\n0\n: a\n\n")),
    cut("an answer for a trailer", "RFC 9112 5.1", chunked("2\nok\n0\n" + POISON)),
    cut("a trailer section of 20 KiB", "RFC 9110 5.4", chunked("2\nok\n0\nX: " + "a" * 20000 + "\n\n")),
]

FIELDS = [
    passes("fields in their order", "RFC 9110 5.3", answer("X: 1", "Y: 2", "X: 3", "Content-Length: 2"),
           fields=[("x", "1"), ("y", "2"), ("x", "3")], is_reused=True),
    passes("what Connection names goes", "RFC 9110 7.6.1", answer("Connection: X", "X: 1", "Content-Length: 2"), lacks=["x"]),
    passes("Connection cannot take the length", "RFC 9110 7.6.1", answer("Connection: content-length", "Content-Length: 2")),
    passes("Keep-Alive goes", "RFC 9110 7.6.1", answer("Keep-Alive: timeout=5", "Content-Length: 2"), lacks=["keep-alive"]),
    passes("Proxy-Connection goes", "RFC 9112 C.2.2", answer("Proxy-Connection: close", "Content-Length: 2"), lacks=["proxy-connection"]),
    passes("Upgrade goes", "RFC 9110 7.8", answer("Upgrade: h2c", "Connection: upgrade", "Content-Length: 2"), lacks=["upgrade", "connection"]),
    passes("Connection: close is for us", "RFC 9110 7.6.1", answer("Connection: close", "Content-Length: 2"), is_reused=False),
    passes("Set-Cookie twice stays twice", "RFC 9110 5.3", answer("Set-Cookie: a", "Set-Cookie: b", "Content-Length: 2"),
           fields=[("set-cookie", "a"), ("set-cookie", "b")]),
    passes("bytes above 127 in a value", "RFC 9110 5.5", answer("X: \xff", "Content-Length: 2"), fields=[("x", "\xff")]),
    passes("a value that looks like an answer", "RFC 9110 5.5", answer("X: HTTP/1.1 200 OK", "Content-Length: 2"),
           fields=[("x", "HTTP/1.1 200 OK")]),
    passes("an escaped CRLF stays escaped", "CVE-2023-27522", answer("Location: /%0d%0aSet-Cookie:%20a", "Content-Length: 2"),
           fields=[("location", "/%0d%0aSet-Cookie:%20a")]),
    passes("a value of 20,000 bytes", "RFC 9110 5.4", answer("X: " + "y" * 20000, "Content-Length: 2")),
    passes("120 fields", "RFC 9110 5.4", answer(*(f"X{n}: y" for n in range(119)), "Content-Length: 2")),
    bad("200 fields", "RFC 9110 5.4", answer(*(f"X{n}: y" for n in range(199)), "Content-Length: 2")),
    bad("a head of 100 KiB", "RFC 9110 5.4", answer("X: " + "y" * 100000, "Content-Length: 2")),
    bad("a blank before the colon", "RFC 9112 5.1", answer("X : y", "Content-Length: 2")),
    bad("a blank before the length's colon", "RFC 9112 5.1", answer("Content-Length : 2")),
    bad("an empty name", "RFC 9112 5.1", answer(": y", "Content-Length: 2")),
    bad("no colon", "RFC 9112 5", answer("X", "Content-Length: 2")),
    bad("a fold", "CVE-2024-24795", answer("X: a\n b", "Content-Length: 2")),
    bad("a bare LF in a value", "CVE-2023-38709", answer("X: a␊Set-Cookie: b", "Content-Length: 2")),
    bad("a bare CR in a value", "CVE-2023-27522", answer("X: a␍Set-Cookie: b", "Content-Length: 2")),
    bad("a NUL in a value", "RFC 9110 5.5", answer("X: a␀b", "Content-Length: 2")),
    bad("a control byte in a value", "RFC 9110 5.5", answer("X: a\x07b", "Content-Length: 2")),
    bad("LF LF for an end", "RFC 9112 2.2", "HTTP/1.1 200 OK\nContent-Length: 2␊␊ok"),
    bad("CR CR LF for an end", "RFC 9112 2.2", "HTTP/1.1 200 OK\nContent-Length: 2\n␍␍␊ok"),
]

INTERIM = [
    passes("103", "RFC 8297", "HTTP/1.1 103 Early Hints\nLink: x\n\n" + OK, interim=[103], is_reused=True),
    passes("100 that nobody asked for", "RFC 9110 15.2.1", "HTTP/1.1 100 Continue\n\n" + OK, interim=[100]),
    passes("102 and 103", "RFC 9110 15.2", "HTTP/1.1 102 x\n\nHTTP/1.1 103 x\n\n" + OK, interim=[102, 103]),
    passes("eight of them", "RFC 9110 15.2", "HTTP/1.1 103 x\n\n" * 8 + OK, interim=[103] * 8),
    passes("one with a length has no body", "RFC 9112 6.3", "HTTP/1.1 103 x\nContent-Length: 5\n\n" + OK, interim=[103]),
    passes("one that comes late", "RFC 9110 15.2", ["HTTP/1.1 103 x\n\n", 0.05, OK], interim=[103]),
    bad("nine of them", "RFC 9110 15.2", "HTTP/1.1 103 x\n\n" * 9 + OK, interim=[103] * 8),
    bad("an end behind one", "RFC 9110 15.2", ["HTTP/1.1 103 x\n\n", "close"], interim=[103]),
    bad("101 that nobody asked for", "CVE-2024-23326", "HTTP/1.1 101 x\nUpgrade: websocket\nConnection: upgrade\n\n" + POISON),
    passes("200 to an Upgrade is no tunnel", "CVE-2024-23326", OK, asks=["Connection: Upgrade", "Upgrade: websocket"], is_reused=True),
    passes("426", "RFC 9110 15.5.22", length(2, status="HTTP/1.1 426 x"), status=426, asks=["Connection: Upgrade", "Upgrade: websocket"]),
]

ENDS = [
    bad("nothing, and the end", "RFC 9112 8", ["close"], times=None),
    bad("nothing, and a reset", "RFC 9112 8", ["reset"], times=None),
    bad("half a status line", "RFC 9112 8", ["HTTP/1.1 20", "close"]),
    bad("half a head", "RFC 9112 8", ["HTTP/1.1 200 OK\nContent-Le", "close"]),
    bad("a head without its empty line", "RFC 9112 8", ["HTTP/1.1 200 OK\nContent-Length: 2\n", "close"]),
    cut("half a body", "RFC 9112 8", [length(10, "half"), "close"]),
    cut("half a body, and a reset", "RFC 9112 8", [length(10, "half"), 0.01, "reset"]),
    cut("no body", "RFC 9112 8", [length(10, ""), "close"]),
    cut("half a chunk", "RFC 9112 8", [chunked("a\nhalf"), "close"]),
    cut("no last chunk", "RFC 9112 8", [chunked("2\nok\n"), "close"]),
    cut("no empty line behind the last chunk", "RFC 9112 8", [chunked("2\nok\n0\n"), "close"]),
    cut("a reset where the end would be the end", "RFC 9112 8", [answer(), 0.01, "reset"]),
    passes("a longer body than said", "RFC 9112 6.3", length(2, "ok and more"), is_reused=False),
    passes("a second answer", "RFC 9112 9.3.2", OK + POISON, is_reused=False),
    passes("a second answer behind chunks", "RFC 9112 9.3.2", chunked("2\nok\n0\n\n" + POISON), is_reused=False),
    passes("a second answer behind 204", "RFC 9112 6.3", answer(status="HTTP/1.1 204 x", body="") .replace("ok", "") + POISON,
           status=204, body="", is_reused=False),
    passes("CRLF behind an answer", "RFC 9112 2.2", OK + "\n", is_reused=False),
    passes("half an answer behind one", "RFC 9112 9.3.2", OK + "HTTP/1.1 2", is_reused=False),
    passes("a second answer, later", "RFC 9112 9.3.2", [OK, 0.01, POISON], is_late=True, is_reused=False),
    passes("one byte, later", "RFC 9112 9.3.2", [OK, 0.01, "x"], is_late=True, is_reused=False),
    passes("408 on an idle connection", "RFC 9110 15.5.9",
           [OK, 0.01, "HTTP/1.1 408 Request Timeout\nContent-Length: 0\nConnection: close\n\n", "close"], is_late=True, is_reused=False),
    passes("the end of an idle connection", "RFC 9112 9.5", [OK, 0.01, "close"], is_late=True, is_reused=False),
    passes("a reset of an idle connection", "RFC 9112 9.5", [OK, 0.01, "reset"], is_late=True, is_reused=False),
    passes("the end at once", "RFC 9112 9.5", [OK, "close"], is_late=True, is_reused=False),
]

FAMILIES = {
    "status line": STATUS_LINE,
    "framing": FRAMING,
    "chunks": CHUNKS,
    "fields": FIELDS,
    "interim": INTERIM,
    "ends": ENDS,
}
