"""Serve one file over HTTP by ranges, in a process of its own: python range_server.py FILE.

GDAL's opening holds the interpreter's lock, so a thread of the reading process cannot answer.
"""

import http.server
import sys
from pathlib import Path


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Answers for /scene.tif alone."""

    content = b""

    def do_HEAD(self) -> None:
        """Answer with headers."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answer with the asked range."""
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        if not self.path.startswith("/scene.tif"):
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        first, last = 0, len(self.content) - 1
        if asked:
            start, stop = asked.removeprefix("bytes=").split("-")
            first, last = int(start), min(int(stop or last), last)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.content)}")
        self.end_headers()
        if body:
            self.wfile.write(self.content[first : last + 1])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    RangeHandler.content = Path(sys.argv[1]).read_bytes()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
