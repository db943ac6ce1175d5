"""
From a text to a configuration, or to all that is wrong with it.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import Config, Problem, StaticConsole, WebSection, checkConfig
from vncproxy.config.checks import readConfig, sections, shapes

_EVERYTHING = """
[web]
listen = ["tcp:80", "tcp6:80"]
novncproxy_base_url = "https://console.example/vnc_auto.html"
allowed_origins = "dashboard.example"
frame_ancestors = ["'self'", "https://dashboard.example"]
heartbeat = 0
[java]
listen = []
xvpvncproxy_base_url = "https://console.example/console"
[tls]
certificate = "/etc/tls.pem"
key = "/etc/tls.key"
minimum_version = "1.3"
ciphers = "ECDHE+AESGCM"
self_signed = false
[api]
listen = "unix:/run/api.sock"
[consoleauth]
token_ttl = 60
uses = 0
timeout = 2.5
resume_window = 0
[store]
url = "sqlite:/var/lib/x"
[proxy]
id = "p1"
public_address = "console.example"
capacity = 100
[backend]
connect_timeout = 3
allowed_networks = ["10.0.0.0/8"]
[limits]
handshake_seconds = 5
half_closed_seconds = 6
[[console]]
id = "a"
url = "vnc://h:5901"
[[console]]
id = "b"
url = "vnc+unix:///run/b"
name = "B"
password = "hunter2"
"""


class ReadTests(SynchronousTestCase):
    """
    Texts that are right.
    """

    def test_nothing(self) -> None:
        """
        A text that says nothing is the configuration by default.
        """
        for text in ("", "# nothing\n", "[web]\n[tls]\n", "console = []\n"):
            self.assertEqual(readConfig(text, "a").config, Config())

    def test_everything(self) -> None:
        """
        Each key arrives where it belongs, a string for a list as a list.
        """
        config = readConfig(_EVERYTHING, "a").config
        assert config is not None
        self.assertEqual(checkConfig(_EVERYTHING, "a"), [])
        self.assertEqual(
            config.web,
            WebSection(
                listen=("tcp:80", "tcp6:80"),
                novncproxy_base_url="https://console.example/vnc_auto.html",
                allowed_origins=("dashboard.example",),
                frame_ancestors=("'self'", "https://dashboard.example"),
                heartbeat=0.0,
            ),
        )
        self.assertEqual((config.java.listen, config.api.listen), ((), ("unix:/run/api.sock",)))
        self.assertEqual((config.consoleauth.token_ttl, config.consoleauth.uses), (60.0, 0))
        self.assertIsInstance(config.consoleauth.token_ttl, float)
        self.assertEqual((config.tls.minimum_version, config.tls.self_signed), ("1.3", False))
        self.assertEqual((config.store.url, config.proxy.capacity), ("sqlite:/var/lib/x", 100))
        self.assertEqual((config.backend.connect_timeout, config.limits.half_closed_seconds), (3.0, 6.0))
        self.assertEqual(
            config.console,
            (
                StaticConsole(id="a", url="vnc://h:5901"),
                StaticConsole(id="b", url="vnc+unix:///run/b", name="B", password="hunter2"),
            ),
        )

    def test_oneKey(self) -> None:
        """
        A key that is given alone leaves its section's others as they are by default, whatever way it is written.
        """
        for text in ("[web]\nheartbeat = 5", "web.heartbeat = 5", "web = { heartbeat = 5 }"):
            self.assertEqual(readConfig(text, "a").config, Config(web=WebSection(heartbeat=5.0)))


class ProblemTests(SynchronousTestCase):
    """
    Texts that are wrong.
    """

    def only(self, text: str) -> Problem:
        """
        The one problem of a text.
        """
        problems = checkConfig(text, "a.toml")
        self.assertEqual(len(problems), 1, problems)
        self.assertIsNone(readConfig(text, "a.toml").config)
        return problems[0]

    def assertProblem(self, text: str, line: int, key: str, message: str, cure: str) -> None:
        """
        A text has one problem, of which this is known.
        """
        problem = self.only(text)
        self.assertEqual((problem.file, problem.line, problem.key, problem.fatal), ("a.toml", line, key, True), text)
        self.assertIn(message, problem.message)
        self.assertIn(cure, problem.cure)

    def test_unknownKeys(self) -> None:
        """
        An unknown key leads to the one that was meant, to the section that it belongs to, or to those that there are.
        """
        for text, line, key, cure in (
            ("[web]\nlisten = []\nlistn = 1", 3, "web.listn", 'Did you mean "listen"?'),
            ("[web]\ntoken_ttl = 1", 2, "web.token_ttl", "It belongs below [consoleauth]."),
            ("[store]\nlisten = 1", 2, "store.listen", "It belongs below [web] or [java] or [api] or [consoleauth]."),
            ("[store]\nxyz = 1", 2, "store.xyz", "[store] takes url, password_file,"),
            ('[[console]]\nid = "a"\nurl = "vnc://h"\nporrt = 1', 4, "console.porrt", "[console] takes id, url"),
        ):
            self.assertProblem(text, line, key, "no such key", cure)

    def test_unknownSections(self) -> None:
        """
        An unknown section leads to the one that was meant, or to those that there are.
        """
        self.assertProblem("\n[wbe]\nlisten = []", 2, "wbe", "no such section", 'Did you mean "web"?')
        self.assertProblem("[[consoles]]\n", 1, "consoles", "no such section", 'Did you mean "console"?')
        self.assertProblem("[xyzzy]", 1, "xyzzy", "no such section", "There are web, java,")
        self.assertProblem("xyzzy = 1", 1, "xyzzy", "no such key", "There are web, java,")
        self.assertProblem("uses = 1", 1, "uses", "outside its section", "below [consoleauth]")

    def test_shapeOfSections(self) -> None:
        """
        A section is one table, consoles are a list of tables.
        """
        self.assertProblem("web = 1", 1, "web", "it is a section", "[web]")
        self.assertProblem("[[web]]", 1, "web", "it is a section", "[web]")
        self.assertProblem("[console]\n", 1, "console", "a list of tables", "[[console]]")
        self.assertProblem("console = [1]", 1, "console", "a list of tables", "[[console]]")

    def test_wrongTypes(self) -> None:
        """
        A value of a wrong type is told what it must be and what it is.
        """
        for text, key, message in (
            ('[web]\nheartbeat = "5"', "web.heartbeat", "a number of seconds, or 0 for none, not a string"),
            ("[web]\nheartbeat = true", "web.heartbeat", "a number of seconds, or 0 for none, not true or false"),
            ("[web]\nheartbeat = []", "web.heartbeat", "a number of seconds, or 0 for none, not this"),
            ("[web]\nlisten = 6080", "web.listen", "an endpoint string, or a list of such"),
            ("[web]\nlisten = [6080]", "web.listen", "an endpoint string, or a list of such"),
            ("[web]\nnovncproxy_base_url = 1", "web.novncproxy_base_url", "a URL, not a number"),
            ("[consoleauth]\nuses = 1.5", "consoleauth.uses", "a whole number"),
            (f"[consoleauth]\ntoken_ttl = 1{'0' * 400}", "consoleauth.token_ttl", "a number of seconds above 0"),
            (f"[consoleauth]\nuses = 1{'0' * 400}", "consoleauth.uses", "a whole number"),
            ("[tls]\nself_signed = 1", "tls.self_signed", "true or false, not a number"),
            ("[tls]\nminimum_version = 1.2", "tls.minimum_version", '"1.2" or "1.3"'),
            ('[tls]\nminimum_version = "1.1"', "tls.minimum_version", '"1.2" or "1.3"'),
        ):
            self.assertProblem(text, 2, key, f"it must be {message}", "Write for instance")

    def test_wrongValues(self) -> None:
        """
        A value of the right type that means nothing is told why; of a list, which entry.
        """
        for text, message in (
            ('[web]\ntrusted_proxies = ["unix", "nginx"]', "in entry 2, it is no network"),
            ("[web]\nheartbeat = -1", "it must be a number of seconds, or 0 for none"),
            ("[web]\nheartbeat = nan", "it must be a number of seconds, or 0 for none"),
            ('[web]\nlisten = "http"', "no kind of endpoint"),
            ('[web]\nlisten = ["ssl:1", "tcp:2"]', "in entry 1, TLS is not configured here"),
            ('[web]\nframe_ancestors = ["self"]', "it is the name of a host"),
            ('[web]\nlisten = ["tcp:1", "ssl:2"]', "in entry 2, TLS is not configured here"),
            ('[web]\nnovncproxy_base_url = "h"', "no URL"),
            ('[backend]\nallowed_networks = ["::/129"]', "no network"),
            ('[store]\nurl = "mysql://h"', "no store"),
        ):
            self.assertIn(message, self.only(text).message)

    def test_examples(self) -> None:
        """
        An example of a number is one that suits its key: the default, where that is more than none.
        """
        for text, example in (
            ("[consoleauth]\ntoken_ttl = 0", "600"),
            ("[limits]\nhandshake_seconds = -1", "15"),
            ("[web]\nheartbeat = false", "30"),
            ("[proxy]\ncapacity = -1", "200"),
            ("[tls]\nself_signed = 1", "true"),
        ):
            self.assertEqual(self.only(text).cure, f"Write for instance {example}.")

    def test_missing(self) -> None:
        """
        A console without id or URL is told so at its head.
        """
        problems = checkConfig('[[console]]\nid = "a"\nurl = "vnc://h"\n\n[[console]]\nname = "b"\n', "a")
        self.assertEqual([(each.line, each.key) for each in problems], [(5, "console")] * 2)
        self.assertIn('the key "id" is missing', problems[0].message)
        self.assertIn("url = ", problems[1].cure)

    def test_together(self) -> None:
        """
        Keys that cannot stand together are told so where the later one stands.
        """
        tls = '[tls]\ncertificate = "a"\n'
        self.assertProblem('[tls]\nkey = "a"', 2, "tls.key", "no certificate", "certificate")
        self.assertProblem(f"{tls}self_signed = true", 3, "tls.self_signed", "already", "Leave one")
        twice = '[[console]]\nid = "a"\nurl = "vnc://h"\n'
        self.assertProblem(twice + twice, 5, "console.id", "another console has this id", "its own")
        raw = '[[console]]\nid = "a"\nurl = "tcp://h:1"\npassword = "p"\n'
        self.assertProblem(raw, 4, "console.password", "nobody logs in to a raw console", "vnc://")
        self.assertEqual(checkConfig(f"{tls}self_signed = false", "a"), [])
        proxied = "[java]\nproxy_protocol = true\n"
        self.assertProblem(proxied, 2, "java.proxy_protocol", "nobody is trusted", "trusted_proxies in [web]")
        self.assertEqual(checkConfig(proxied + '[web]\ntrusted_proxies = ["unix", "10.0.0.0/8"]', "a"), [])

    def test_plugins(self) -> None:
        """
        A plugin has what it needs, and nothing is given to none.
        """
        web = '[web]\nauth_plugin = "BasicHTTPAuth"\nauth_source = "u:p"\nweb_auth = true\n'
        tokens = '[tokens]\nplugin = ["TokenFile", "own.Class"]\nsource = ["a"]\n'
        self.assertEqual(checkConfig(web + tokens, "a"), [])
        self.assertProblem('[web]\nauth_source = "u:p"', 2, "web.auth_source", "no plugin", "auth_plugin")
        self.assertProblem("[web]\nweb_auth = true", 2, "web.web_auth", "no plugin", "auth_plugin")
        names = '[web]\nauth_plugin = "ClientCertCNAuth"\n'
        self.assertProblem(names, 2, "web.auth_plugin", "not asked for certificates", "client_ca")
        self.assertEqual(checkConfig(f'{names}[tls]\ncertificate = "a"\nclient_ca = "b"', "a"), [])
        self.assertProblem('[tokens]\nsource = "a"', 2, "tokens.source", "more sources than plugins", "for each")
        self.assertProblem('[tokens]\nplugin = "TokenFile"', 2, "tokens.plugin", "TokenFile has no source", "source")
        self.assertProblem('[tokens]\nplugin = "TokenFil"', 2, "tokens.plugin", "no such plugin", '"TokenFile"')
        self.assertProblem('[tokens]\nplugin = "x y"', 2, "tokens.plugin", "no such plugin", "package.module.Class")
        absent = "websockify.token_plugins.Absent"
        self.assertProblem(f'[tokens]\nplugin = "{absent}"', 2, "tokens.plugin", "no such plugin", "TokenFile")

    def test_doors(self) -> None:
        """
        Two services on one endpoint are found, also if one of them is there by default; port 0 is any port.
        """
        default = Config().web.listen[0]
        self.assertProblem(f'[java]\nlisten = "{default}"', 2, "java.listen", "[web] listens there", "its own port")
        both = '[web]\nlisten = "tcp:{0}"\n[api]\nlisten = ["tcp:1", "tcp:{0}"]'
        self.assertProblem(both.format(5), 4, "api.listen", "[web] listens there", "its own port")
        self.assertEqual(checkConfig(both.format(0), "a"), [])

    def test_allOfThem(self) -> None:
        """
        Everything that is wrong is told at once, in the order of the lines.
        """
        text = '[[console]]\nid = "a b"\nurl = "h"\n[web]\nheartbeat = -1\nx = 1\n[nowhere]\n'
        text += "[limits]\nhandshake_seconds = 0"
        self.assertEqual([each.line for each in checkConfig(text, "a")], [2, 3, 5, 6, 7, 9])

    def test_syntax(self) -> None:
        """
        What is no TOML is told with its line and, where the mistake is a common one, with what to do.
        """
        for text, line, cure in (
            ("[web]\nlisten = tcp:6080\n", 2, "in quotes"),
            ('[web]\nlisten = "tcp:6080\n', 2, "TOML"),
            ("[web]\n[web]\n", 2, "A section stands once"),
            ("[web]\nheartbeat = 1\nheartbeat = 2\n", 3, "A key stands once"),
            ("[web]\nlisten\n", 2, "Write key"),
            ("\n\nx = ", 3, "in quotes"),
            ("x = [1,", 1, "in quotes"),
            ("\n\n\nx = [", 4, "in quotes"),
        ):
            problem = self.only(text)
            self.assertEqual((problem.line, problem.key), (line, ""), text)
            self.assertTrue(problem.message.startswith("syntax error: "))
            self.assertNotIn("(at", problem.message)
            self.assertIn(cure, problem.cure, text)

    def test_stores(self) -> None:
        """
        What is said of a store fits the store that is named, and its password stands in one place.
        """
        for keys, key, message in (
            ('url = "sqlite:/x"\npassword_file = "a"', "password_file", "it is for a Redis"),
            ('\npassword_file = "a"', "password_file", "it is for a Redis"),
            ('url = "redis://h"\nca_certs = "x"', "ca_certs", "it is for TLS"),
            ('url = "rediss://h"\nclient_key = "x"', "client_key", "there is a key but no certificate"),
            ('url = "redis://:hunter2@h"\npassword_file = "x"', "password_file", "there is a password in url already"),
        ):
            self.assertProblem(f"[store]\n{keys}", 3, f"store.{key}", message, "")
        keys = 'password_file = "p"\nca_certs = "c"\nclient_certificate = "c"\nclient_key = "k"\nprefix = "a:"'
        self.assertEqual(checkConfig(f'[store]\nurl = "rediss://h"\n{keys}', "a"), [])

    def test_outOfBounds(self) -> None:
        """
        Nesting and digits without end are refused like anything else.
        """
        for text in ("x = " + "[" * 100_000, "x = 1" + "0" * 10_000):
            self.assertIn("as deep or as long", self.only(text).message)

    def test_secrets(self) -> None:
        """
        No problem repeats what might be a password.
        """
        text = '[[console]]\nid = "hunter2 "\nurl = "vnc://:hunter2@h"\npassword = ["hunter2"]\nname = "hunter2\\n"\n'
        text += '[store]\nurl = "redis://:hunter2@"\n[web]\nnovncproxy_base_url = "https://u:hunter2@h/"\n'
        problems = checkConfig(text, "a")
        self.assertEqual(len(problems), 6)
        self.assertNotIn("hunter2", repr(problems) + "".join(map(str, problems)))


_NAMES = st.sampled_from(
    ["console", *sections(), *(key for section in sections().values() for key in shapes(section)), "x"]
)
_VALUES = st.sampled_from(
    ["1", "-1", "0", "nan", "1e999", "true", "[]", "{}", '""', '"tcp:0"', '"vnc://h"', "1979-05-27", "[{}]", "['x']"]
)
_LINES = st.one_of(
    st.builds("[{}]".format, _NAMES),
    st.builds("[[{}]]".format, _NAMES),
    st.builds("{} = {}".format, _NAMES, _VALUES),
    st.builds("{}.{} = {}".format, _NAMES, _NAMES, _VALUES),
    st.text(max_size=10),
)


class AnyTextTests(SynchronousTestCase):
    """
    Texts that nobody thought of.
    """

    @settings(deadline=None, max_examples=300)
    @given(st.text() | st.lists(_LINES, max_size=8).map("\n".join))
    def test_neverATraceback(self, text: str) -> None:
        """
        Any text gives a configuration or problems, each with its cure, on a line that the text has.
        """
        reading = readConfig(text, "a")
        self.assertEqual(reading.config is None, bool(reading.problems))
        for problem in reading.problems:
            self.assertTrue(problem.message and problem.cure)
            self.assertLessEqual(problem.line, text.count("\n") + 1)
