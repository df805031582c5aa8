"""HttpParser with the methods pymesos uses, on httptools."""

import httptools


class HttpParser:
    """Parses one response (kind 1, the default) or request (kind 0) as its bytes arrive."""

    def __init__(self, kind=1):
        self._parser = httptools.HttpResponseParser(self) if kind else httptools.HttpRequestParser(self)
        self._url = ""
        self._headers = {}
        self._body = []
        self._has_headers = self._complete = False
        self._failure = 0

    def on_url(self, url):
        self._url += url.decode()

    def on_header(self, name, value):
        self._headers[name.decode()] = value.decode()

    def on_headers_complete(self):
        self._has_headers = True

    def on_body(self, data):
        self._body.append(data)

    def on_message_complete(self):
        self._complete = True

    def execute(self, data, length):
        try:
            self._parser.feed_data(data[:length])
        except httptools.HttpParserError:
            self._failure = 1
            return 0
        return length

    def get_errno(self):
        return self._failure

    def is_headers_complete(self):
        return self._has_headers

    def is_message_complete(self):
        return self._complete

    def is_partial_body(self):
        return bool(self._body)

    def is_chunked(self):
        return self.get_headers().get("Transfer-Encoding", "").lower() == "chunked"

    def get_status_code(self):
        return self._parser.get_status_code()

    def get_method(self):
        return self._parser.get_method().decode()

    def get_url(self):
        return self._url

    def get_headers(self):
        return self._headers

    def recv_body(self):
        body = b"".join(self._body)
        self._body = []
        return body
