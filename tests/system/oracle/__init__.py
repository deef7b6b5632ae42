"""Other readers of HTTP/1.1."""
