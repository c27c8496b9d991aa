"""A proxy on a host that writes down what it is asked for, and knows no way to anywhere."""

import pathlib
import socketserver

PORT = 3999
RECORD = pathlib.Path("/run/proxy.log")


class Refuse(socketserver.StreamRequestHandler):
    """Any request gets an error."""

    def handle(self):
        """Write the first line down."""
        line = self.rfile.readline().decode("latin-1").strip()
        with RECORD.open("a") as file:
            file.write(line + "\n")
        self.wfile.write(b"HTTP/1.1 503 No way\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


if __name__ == "__main__":
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer(("127.0.0.1", PORT), Refuse).serve_forever()
