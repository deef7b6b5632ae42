"""All raw requests, by family."""

from hostile import requests_framing as framing
from hostile import requests_heads as heads
from hostile import requests_ways as ways

FAMILIES = {
    "Content-Length": framing.CONTENT_LENGTH,
    "Transfer-Encoding": framing.TRANSFER_ENCODING,
    "chunks": framing.CHUNKS,
    "trailers": framing.TRAILERS,
    "request line": heads.REQUEST_LINE,
    "target": heads.TARGET,
    "Host": heads.HOST,
    "fields": heads.FIELDS,
    "hop by hop": ways.HOPS,
    "Expect": ways.EXPECT,
    "Upgrade": ways.UPGRADE,
    "sequence": ways.SEQUENCE,
}
