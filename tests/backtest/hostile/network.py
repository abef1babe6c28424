"""Talking to anybody but the simulator."""

from __future__ import annotations

from tests.backtest.hostile.case import refused, tries

CASES = (
    refused("calls a server", "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)"),
    refused("calls over IPv6", "import socket\nsocket.create_connection(('::1', 22), 1)"),
    refused(
        "fetches a page",
        "import urllib.request\nurllib.request.urlopen('http://93.184.216.34/')",
        "URLError: <urlopen error [Errno 1] Operation not permitted>",
    ),
    refused(
        "asks for a name",
        "import socket\nsocket.gethostbyname('example.com')",
        "gaierror: ",
    ),
    refused("opens a server", "import socket\nsocket.create_server(('', 8080))"),
    refused(
        "talks to Docker",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    ),
    tries(
        "tries every family of sockets",
        """
        import socket
        for family in range(46):
            for kind in (1, 2, 3, 5):
                try:
                    socket.socket(family, kind)
                    self.log(f"REACHED family {family} {kind}")
                except OSError as error:
                    assert error.errno == 1, error
        for family in range(46):
            if family != socket.AF_UNIX:
                try:
                    socket.socketpair(family)
                    self.log(f"REACHED pair {family}")
                except OSError as error:
                    assert error.errno == 1, error
        self.log("none")
        """,
        "none",
    ),
    tries(
        "passes descriptors over its channel",
        """
        import socket, array
        channel = socket.socket(fileno=3)
        attempt_("send", lambda: socket.send_fds(channel, [b"x"], [0]))
        attempt_("receive", lambda: socket.recv_fds(channel, 1, 1))
        attempt_("option", lambda: channel.setsockopt(1, 7, 1 << 30))
        attempt_("bind", lambda: channel.bind("\\0me"))
        attempt_("connect", lambda: channel.connect("\\0me"))
        pid, uid, gid = array.array("i", channel.getsockopt(1, 17, 12))
        self.log(f"the peer is process {pid}")
        channel.detach()
        """,
        "send: PermissionError", "receive: PermissionError", "option: PermissionError",
        "bind: PermissionError", "connect: PermissionError", "the peer is process 0",
    ),
)  # fmt: skip
