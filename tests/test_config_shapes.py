"""
What values of the configuration may be.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import shapes
from vncproxy.config.shapes import Shape

_INF, _NAN = float("inf"), float("nan")


class ShapeTests(SynchronousTestCase):
    """
    Every shape, by what it takes and what it refuses.
    """

    def assertShape(self, shape: Shape, good: list[Any], bad: list[Any]) -> None:
        """
        A shape finds no fault with any of C{good}, and one with each of C{bad}, that does not quote the value.
        """
        for value in good:
            self.assertEqual(list(shape.faults(value)), [], repr(value))
        for value in bad:
            faults = list(shape.faults(value))
            self.assertTrue(faults, repr(value))
            self.assertTrue(all(fault.cure.endswith((".", "?")) for fault in faults))

    def test_numbers(self) -> None:
        """
        Times are finite, and zero only where it means something; counts are not negative.
        """
        self.assertShape(shapes.SECONDS, [0.001, 600.0, 315360000.0], [0.0, -1.0, _INF, _NAN, 315360001.0])
        self.assertShape(shapes.SECONDS_OR_NONE, [0.0, 30.0], [-0.1, _INF, _NAN])
        self.assertShape(shapes.COUNT, [0, 1, 10**9], [-1, 10**9 + 1])

    def test_baseURL(self) -> None:
        """
        A base URL is one that a browser can be sent to and that a token can be put behind.
        """
        good = ["http://h", "https://console.example:8443/vnc_auto.html?path=x", "https://[2001:db8::1]/"]
        bad = ["", "h", "ftp://h", "https://", "https://h:0", "https://h:x", "https://h:99999", "http://[::1"]
        bad += ["https://u:hunter2@h/", "https://h/#x", "https://h/#", "https://h /", "https://bücher.example/"]
        self.assertShape(shapes.BASE_URL, good, bad)

    def test_origins(self) -> None:
        """
        An origin is a scheme, a host and perhaps a port, or a host alone as nova has it, or every site.
        """
        good = ["https://Dashboard.example", "http://10.0.0.5:8080", "dashboard.example", "*", "https://[::1]:1"]
        bad = ["", "https://h/", "https://h/x", "https://h?x", "https://u@h", "*.example", "null", "a b"]
        self.assertShape(
            shapes.ORIGINS, [[each] for each in good if each != "null"], [["ok", each] for each in bad[:6]]
        )
        self.assertShape(shapes.ORIGINS, [[]], [["a b"]])

    def test_sources(self) -> None:
        """
        No source can end its directive and begin another.
        """
        good = ["'self'", "'none'", "https://*.example:8443", "https:", "*"]
        bad = ["", "'self' https://x", "'self';", "a,b", "a\n", "ü", "self", "None"]
        self.assertShape(shapes.SOURCES, [good], [[each] for each in bad])

    def test_networks(self) -> None:
        """
        Networks are in CIDR notation; one that names a host is told what it probably means.
        """
        self.assertShape(shapes.NETWORKS, [["10.0.0.0/8", "2001:db8::/32", "10.0.0.5"], []], [["x"], ["10.0.0.0/33"]])
        [fault] = shapes.NETWORKS.faults(["::/0", "10.0.0.5/8"])
        self.assertEqual((fault.message[:11], fault.cure), ("in entry 2,", 'Write "10.0.0.0/8".'))

    def test_ciphers(self) -> None:
        """
        Ciphers are asked of OpenSSL itself.
        """
        self.assertShape(shapes.CIPHERS, ["ECDHE+AESGCM", "HIGH:!aNULL"], ["", "nonsense", "a\0b"])

    def test_names(self) -> None:
        """
        Ids, names, hosts and paths cannot break out of the lines and URLs that they go into.
        """
        self.assertShape(shapes.ID, ["vm7", "a.b_c:d~e-f", "x" * 128], ["", "a b", "a/b", "x" * 129, "é", "a\n"])
        self.assertShape(shapes.LINE, ["Web server", "é"], ["", " ", "a\nb", "x" * 256])
        self.assertShape(shapes.HOST, ["console.example", "::1", "10.0.0.5"], ["", "[::1]", "a:1", "http://a"])
        self.assertShape(shapes.PATH, ["/etc/x.pem", "x.pem"], ["", "a\0b"])

    def test_stores(self) -> None:
        """
        A store is an SQLite file at an absolute path, or a Redis; what its keys begin with is no pattern.
        """
        bad = ["", "sqlite:", "sqlite:x", "sqlite:/a\0", "redis:h", "mysql://h", "redis://:hunter2@"]
        self.assertShape(shapes.STORE, ["sqlite:/var/lib/x", "redis://h", "redis+sentinel://a,b/m/1"], bad)
        self.assertShape(shapes.PREFIX, ["vncproxy:", "{a}:"], ["", "a b", "a*", "a?", "[a]", "a\\", "é", "x" * 65])

    def test_targets(self) -> None:
        """
        A target is what the target parser takes, and a password in it is not repeated.
        """
        self.assertShape(shapes.TARGET, ["vnc://h:5901"], ["h:5901", "vnc://:hunter2@h"])
        [fault] = shapes.TARGET.faults("vnc://:hunter2@h")
        self.assertNotIn("hunter2", fault.message + fault.cure)

    @settings(deadline=None)
    @given(st.text())
    def test_anyText(self, text: str) -> None:
        """
        No text makes a check fail otherwise than by its word.
        """
        for shape in vars(shapes).values():
            if isinstance(shape, Shape) and "number" not in shape.expected:
                list(shape.faults([text] if shape.expected.endswith("list of such") else text))
