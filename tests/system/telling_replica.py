#!/usr/bin/python3
"""A replica that answers each request with its own id and the fields and body it got, as JSON.

usage: telling_replica.py PORT
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Telling(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def tell(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fields = {name.lower(): value for name, value in self.headers.items()}
        told = {"id": os.environ["SERVER_ID"], "fields": fields, "body": body.decode()}
        text = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = tell

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Telling).serve_forever()
