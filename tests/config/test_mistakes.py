"""Mistakes of a configuration file: every one is told, with its line, and none hides another."""

import re
from pathlib import Path

import attrs
import pytest

from unifyport.config.settings import load, mistakes
from unifyport.config.settings.mistakes import HIDDEN
from unifyport.config.settings.values import Secret, Settings
from unifyport.model.structuring import Problems
from unifyport.process import redaction
from unifyport.providers.registry import standard

MASTER_KEY = "A" * 43 + "="

# `#!` marks a mistake that is told with the words after it. It is on the line of the mark; where nothing else
# stands on that line, it is on the line before.
MANY = """\
[server]
bind = "127.0.0.1:99999"  #! server.bind: the port 99999 is out of range, it must be from 0 to 65535
ingress_bind = "[::1]:http"
#! server.ingress_bind: must be HOST:PORT, and its port is not a number, got "[::1]:http"
admin_bind = "localhost"  #! server.admin_bind: must be HOST:PORT, got "localhost"
binds = "127.0.0.1:1"  #! server.binds: unknown key
public_url = "gateway.example"  #! server.public_url: must be an absolute http or https URL
trusted_proxies = [
  "10.0.0.0/8",
  "10.0.0.1/8",  #! server.trusted_proxies[1]: has bits set beyond its prefix, write 10.0.0.0/8
  7,  #! server.trusted_proxies[2]: must be a string, got 7
]
tls = { cert = 5, kye = "key.pem" }
#! server.tls.cert: must be a string
#! server.tls.kye: unknown key (did you mean "key"?)
#! server.tls.key: is required

[storage]
event_retention = "1w"  #! storage.event_retention: expected a duration
dedupe_retention = "1d"
dead_leter_retention = "1d"
#! storage.dead_leter_retention: unknown key (did you mean "dead_letter_retention"?)
url = "postgres://db"  #! storage.url: must be sqlite:///PATH

[security]  #! security.master_key: is required
webhook_allow = ["nowhere"]  #! security.webhook_allow[0]: must be an address or a network
media_allow = "10.0.0.0/8"  #! security.media_allow: must be a list, got "10.0.0.0/8"

[logging]
levle = "info"  #! logging.levle: unknown key (did you mean "level"?)
requests = "yes"  #! logging.requests: must be true or false, got "yes"

[[api_keys]]  #! api_keys[0].name: is required
key = "short"  #! api_keys[0].key: must be at least 32 printable ASCII characters

[[api_keys]]
name = "first"
colour = "red"  #! api_keys "first".colour: unknown key
key = 5  #! api_keys "first".key: must be a string, { env

[webhooks]
retry_policy = { max_attempts = -1, schedule = ["5s", "soon", "0s"] }
#! retry_policy.max_attempts: must be an integer from 0
#! webhooks.retry_policy.schedule[1]: expected a duration
#! webhooks.retry_policy.schedule[2]: must be longer

[[webhook_endpoints]]  #! webhook_endpoints "crm".url: is required
name = "crm"
status = "actve"
#! webhook_endpoints "crm".status: must be one of active, inactive, got "actve" (did you mean "active"?)
subscribed_events = [
  "message.recieved",
#! webhook_endpoints "crm".subscribed_events[0]: unknown event name, got "message.recieved" (did you mean
  "message.updated",
  5,  #! webhook_endpoints "crm".subscribed_events[2]: must be a string, got 5
]

[webhook_endpoints.delivery]
speed = 1  #! webhook_endpoints "crm".delivery.speed: unknown key
ordering = "strictt"
#! delivery.ordering: must be one of strict, none, got "strictt" (did you mean "strict"?)
timeout = "2h"  #! webhook_endpoints "crm".delivery.timeout: must be from 1s to 60s, got "2h"

[webhook_endpoints.delivery.breaker]
failures = 0  #! webhook_endpoints "crm".delivery.breaker.failures: must be an integer
initial = "9s"
max = "3s"
#! webhook_endpoints "crm".delivery.breaker.max: must not be shorter than initial, got "3s"

[[accounts]]
name = "bot-1"
provider = "telegarm"  #! accounts "bot-1".provider: must be one of
region = "mars"  #! accounts "bot-1".region: must be one of global, got "mars"
receive = "pull"
#! accounts "bot-1".receive: must be one of poll, webhook, got "pull" (did you mean "poll"?)
credentials = { token = { env = "NOT_SET" } }
#! accounts "bot-1".credentials.token: environment variable NOT_SET is not set
proxy = { type = "sock5", host = "a b", port = 0 }
#! proxy.type: must be one of http, https, socks5, got "sock5" (did you mean "socks5"?)
#! proxy.host: must be a name
#! proxy.port: must be 1 to 65535, got 0
supervision = { backoff = { initial = "9m" } }
#! accounts "bot-1".supervision.backoff.initial: must not be greater than backoff.max (4m), got "9m"

[[accounts]]
name = "bot-2"
provider = "discord"  #! accounts "bot-2".provider: must be one of
recieve = "poll"  #! accounts "bot-2".recieve: unknown key (did you mean "receive"?)
supervision = { start_rate = "5/s", window = "0s" }
#! accounts "bot-2".supervision.start_rate: can be set for a channel
#! accounts "bot-2".supervision.window: must be greater than 0, got "0s"

[[accounts]]  #! accounts "bot-3".provider: is required
name = "bot-3"
metadata = 5  #! accounts "bot-3".metadata: must be a table
auth_mode = true  #! accounts "bot-3".auth_mode: must be a string, got true

[[accounts]]
name = "bot-212"
provider = "telegram"
auth_mode = "tokn"
#! accounts "bot-212".auth_mode: telegram has token, code, qrcode, session, got "tokn" (did you mean "token"?)
region = "venus"  #! accounts "bot-212".region: must be one of global, got "venus"

[[accounts]]
name = "shop"
provider = "whatsapp"
[accounts.credentials]
#! accounts "shop".credentials.app_secret: is required
access_token = "x y"  #! accounts "shop".credentials.access_token: is not a valid access_token
phone_number_id = "12"
app_secrt = "s"
#! accounts "shop".credentials.app_secrt: unknown credential, auth_mode token has access_token,
verify_token = { file = "none" }
#! accounts "shop".credentials.verify_token: file none cannot be read (No such file or directory)
[accounts.supervision.backoff]
initial = "7m"
#! accounts "shop".supervision.backoff.initial: must not be greater than backoff.max (1m40s), got "7m"
max = "100s"
jitter = 1.5
#! accounts "shop".supervision.backoff.jitter: must be at least 0 and less than 1, got 1.5

[supervision]
max_children = 0  #! supervision.max_children: must be at least 1, got 0

[supervision.policies.default]
restart = "always"
#! supervision.policies.default.restart: must be one of permanent, transient, temporary
max_restarts = -1  #! supervision.policies.default.max_restarts: must not be negative, got -1
stop_timeout = "0s"  #! supervision.policies.default.stop_timeout: must be greater than 0
window = 60
#! supervision.policies.default.window: expected a duration such as "90s", "5m" or "7d", got 60
probe = { interval = "0s", failures = 0, timeout = "later" }
#! probe.interval: must be greater than 0
#! probe.failures: must be at least 1
#! probe.timeout: expected a duration
[supervision.policies.default.backoff]
initial = "5m"
#! supervision.policies.default.backoff.initial: must not be greater than backoff.max (4m), got "5m"
max = "4m"
factor = 0.5  #! supervision.policies.default.backoff.factor: must be at least 1, got 0.5

[supervision.providers.whatsapp]
on_exhausted = "stopp"
#! providers.whatsapp.on_exhausted: must be one of park, stop, escalate, got "stopp" (did you mean "stop"?)
max_concurrent_starts = 0
#! supervision.providers.whatsapp.max_concurrent_starts: must be at least 1, got 0
start_rate = "fast"  #! supervision.providers.whatsapp.start_rate: must be a rate
backoff = { max = "10s" }
#! supervision.providers.whatsapp.backoff.max: must not be less than backoff.initial (5m), got "10s"
[supervision.providers.telegrm]
#! providers.telegrm: no such channel, the channels are line, telegram, tiktok, whatsapp, x, zalo
max_restarts = 1

[providers.telegram]
bot_api = "https://x.example"
#! providers.telegram.bot_api: unknown key (did you mean "bot_api_url"?)
[providers.whatsapp]
graph_api_url = "http://graph.example"
#! providers.whatsapp.graph_api_url: http is only for this machine
media_url = 5  #! providers.whatsapp.media_url: must be a string, got 5
[providers.icq]  #! providers.icq: no such channel

[colours]  #! colours: unknown key
red = 1
"""


@pytest.fixture(autouse=True)
def no_known_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have registered blanks nothing here."""
    for name in ("_secrets", "_holders", "_owned", "_former", "_left"):
        monkeypatch.setattr(redaction, name, type(getattr(redaction, name))())


def expected(document: str) -> list[tuple[int, str]]:
    found, number = [], 0
    for current, line in enumerate(document.splitlines(), start=1):
        content, *marks = line.split("#!")
        number = current if content.strip() or not marks else number
        found += [(number, words.strip()) for words in marks]
    return found


def told(directory: Path, document: str) -> list[str]:
    path = directory / "unifyport.toml"
    path.write_bytes(document.encode())
    with pytest.raises(Problems) as found:
        load(path, standard(), {})
    return [problem.removeprefix(f"{directory}/") for problem in found.value.problems]


def compare(directory: Path, document: str) -> None:
    """Exactly the mistakes that the document marks are told, each on its line."""
    wanted, problems = expected(document), told(directory, document)
    left = list(problems)
    for line, words in wanted:
        fitting = [each for each in left if each.startswith(f"unifyport.toml:{line} ") and words in each]
        assert len(fitting) == 1, (line, words, problems)
        left.remove(fitting[0])
    assert left == []


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_mistake_of_a_file_is_told(tmp_path: Path, ending: str) -> None:
    assert len(expected(MANY)) > 60
    compare(tmp_path, MANY.replace("\n", ending))


GOOD = f"""\
[security]
master_key = "{MASTER_KEY}"
"""

ALONE = [
    # What stands in for a value that cannot be read is not judged: neither alone nor with others.
    '[storage]\nevent_retention = "30d"\ndedupe_retention = "1"  #! dedupe_retention: expected a duration\n',
    '[storage]\nevent_retention = "30d"  #! storage.event_retention: is too long\n',
    '[storage]\nalias_retention = "29d"  #! alias_retention: must be at least 30 days\n',
    '[storage]\ndedupe_retention = "10d"  #! retention: must be at least event_retention plus 7 days\n',
    '[[accounts]]\nname = "a"\nprovider = 1  #! accounts "a".provider: must be a string, got 1\n',
    "[workspace]\nregions = [1]  #! workspace.regions[0]: must be a string, got 1\n"
    '[[accounts]]\nname = "a"\nprovider = "telegram"\nregion = "eu"\ncredentials = { token = "1:a" }\n',
    "[workspace]\nregions = []  #! workspace.regions: must name at least one region\n",
    # A policy's mistake is told where it is made, and only there.
    '[supervision.policies.default]\nwindow = "10s"  #! window: the back-off never makes max_restarts (15)\n'
    "[supervision.providers.telegram]\nbackoff = { jitter = 0.1 }\n",
    '[supervision.providers.telegram]\nbackoff = { initial = "1m" }\n'
    '[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = { token = "1:a" }\n'
    'supervision.backoff.max = "30s"  #! backoff.max: must not be less than backoff.initial (1m)\n',
    '[supervision.providers.telegram]\nbackoff = { initial = "soon" }  #! backoff.initial: expected\n'
    '[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = { token = "1:a" }\n'
    'supervision = { backoff = { max = "1ms" } }\n',
    '[supervision.policies.default]\nprobe = "on"  #! default.probe: must be a table or "off"\n',
    '[supervision.policies.default]\nbackoff = "5s"  #! default.backoff: must be a table\n',
    # Items that are none, and names.
    "accounts = [5]  #! accounts[0]: must be a table\n",
    'accounts = "many"  #! accounts: must be a list\n',
    "providers = 5  #! providers: must be a table\n",
    '[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = { token = "1:a" }\n'
    '[[accounts]]\nname = "a"  #! accounts "a".name: the name \'a\' is used twice\n'
    'provider = "telegram"\ncredentials = { token = "1:b" }\n',
    '[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = { token = "1:a" }\n'
    '[[accounts]]\nname = "b"\nprovider = "telegram"\n'
    'credentials = { token = "1:b" }  #! accounts "b".credentials: account \'a\' has the same identity\n',
    '[[webhook_endpoints]]\nname = "a"\nurl = "https://a.example"\n'
    'renamed_from = "a"  #! "a".renamed_from: another webhook endpoint has, or had, this name, got "a"\n',
    '[[webhook_endpoints]]\nname = "a"\nurl = "http://["  #! "a".url: must be an absolute http\n',
    '[server]\npublic_url = "http://["  #! server.public_url: must be an absolute\n',
    '[server]\nbind = "127.0.0.1:65536"  #! the port 65536 is out of range\n',
    # Hosts that no listener can have.
    '[server]\nbind = "300.1.1.1:80"  #! must be HOST:PORT, and its host is not an IP address or a name\n',
    '[server]\nbind = "a_b!:80"  #! must be HOST:PORT, and its host is not an IP address or a name\n',
    '[server]\nbind = "[::1:80"  #! bind: an IPv6 address must be in brackets, write [::1]:PORT, got\n',
    '[server]\nbind = "::1:9000"  #! bind: an IPv6 address must be in brackets, write [::1]:PORT, got\n',
    '[server]\nbind = "[127.0.0.1]:80"  #! bind: only an IPv6 address may be in brackets\n',
    '[server]\nbind = "a:b:80"  #! bind: must be HOST:PORT, and its host is not an IP address or a name\n',
    '[server]\npublic_url = "https://x.example:port"  #! server.public_url: must be an absolute http\n',
    '[server]\npublic_url = "https://300.1.1.1"  #! server.public_url: must be an absolute http\n',
    '[providers.telegram]\nbot_api_url = "https://x:99999"  #! bot_api_url: must be an absolute URL\n',
    # A key that is there already is not suggested.
    "[supervision.policies.default]\nmax_restarts = 3\n"
    'max_restart = 3  #! default.max_restart: unknown key ("max_restarts" is there already)\n',
    "[providers.telegram]\n[providers.telegrm]  #! telegrm: no such channel, the channels are line,\n",
    'logging = {}\nloging = {}  #! loging: unknown key ("logging" is there already)\n',
    '[[webhook_endpoints]]\nname = "a"\nurl = "https://a.example"\n'
    "retry_policy = { max_attempts = 2, max_attempt = 3 }\n"
    '#! retry_policy.max_attempt: unknown key ("max_attempts" is there already)\n',
    # Credentials of no meaning; what else is wrong with the account is told, too.
    '[[accounts]]\nname = "a"\nprovider = "telegram"\n[accounts.credentials]\ntoken = "1:a"\n'
    'webhok_secret = "0123456789abcdef"\n'
    '#! "a".credentials.webhok_secret: unknown credential, auth_mode token has token, webhook_secret (\n'
    '[[accounts]]\nname = "b"\nprovider = "telegram"\n'
    'credentials = { token = "1:b" }  #! accounts "b".credentials: account \'a\' has the same identity\n',
    # A secret that is too short, or empty.
    '[[webhook_endpoints]]\nname = "a"\nurl = "https://a.example"\n'
    'signing_secret = ""  #! must be at least 8 characters; without the option nothing is signed\n',
    '[[webhook_endpoints]]\nname = "a"\nurl = "https://a.example"\n'
    'signing_secret = "1234567"  #! signing_secret: must be at least 8 characters\n',
    # A probe must be over before the next one begins.
    '[supervision.policies.default]\nprobe = { interval = "10s" }\n'
    '#! probe.interval: must be greater than probe.timeout (10s), got "10s"\n',
    '[supervision.providers.telegram]\nprobe = { timeout = "1m" }\n'
    '#! probe.timeout: must be less than probe.interval (1m), got "1m"\n',
    '[server]\npublic_url = "http://["  #! server.public_url: must be an absolute http\n'
    '[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = { token = "1:a" }\nreceive = "webhook"\n',
    # The platform refuses to call an http URL, unless it is the operator's own server or this machine.
    '[server]\npublic_url = "http://gateway.example"\n[[accounts]]\nname = "a"\nprovider = "telegram"\n'
    'credentials = { token = "1:a" }\n'
    'receive = "webhook"  #! "a".receive: telegram calls https only, and server.public_url is http\n',
    # A setting that is no address of the platform changes nothing of that.
    '[server]\npublic_url = "http://gateway.example"\n[providers.x]\nread_history_hourly = false\n'
    '[[accounts]]\nname = "a"\nprovider = "x"\ncredentials = { client_id = "a", client_secret = "b",'
    ' bearer_token = "c", consumer_secret = "d" }\n'
    'receive = "webhook"  #! "a".receive: x calls https only, and server.public_url is http\n',
]


@pytest.mark.parametrize("document", ALONE)
def test_a_mistake_alone(tmp_path: Path, document: str) -> None:
    top = "" if document.startswith("[") else document
    compare(tmp_path, f"{top}{GOOD}{'' if top else document}")


def test_a_section_that_is_missing_has_no_line(tmp_path: Path) -> None:
    assert told(tmp_path, "") == ["unifyport.toml security.master_key: is required"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("[server]\nbind = \n", "unifyport.toml:2: Invalid value, at column 8"),
        ("[server]\nbind = [1,\n", "unifyport.toml:2: Invalid value, at the end of the file"),
        ("[server]\nbind = '''a\nb", "unifyport.toml:3: Expected \"'''\", at the end of the file"),
        (
            "[server\n",
            "unifyport.toml:1: Expected ']' at the end of a table declaration, at column 8",
        ),
        # What is defined twice, and where the first one is.
        ("a = 1\n\na = 2\n", "unifyport.toml:3 a: is defined twice, first on line 1"),
        (
            "[server]\nbind = 'a'\n\ntrusted_proxies = [\n]\ntrusted_proxies = [\n  '::1',\n]\n",
            "unifyport.toml:6 server.trusted_proxies: is defined twice, first on line 4",
        ),
        ("[server]\n[media]\n[ server ]\n", "unifyport.toml:3 server: is defined twice, first on line 1"),
        (
            "[[accounts]]\nname = 'a'\n[[accounts]]\nname = 'b'\n\nname = 'c'\n",
            "unifyport.toml:6 accounts[1].name: is defined twice, first on line 4",
        ),
        ("[[a]]\n[a]\n", "unifyport.toml:2 a: is defined twice, first on line 1"),
        ("[a]\nb = 1\n[a.b]\nc = 1\n", "unifyport.toml:3 a.b: is defined twice, first on line 2"),
        ("[a.b]\n[a]\nb = 1\n", "unifyport.toml:3 a.b: is defined twice, first on line 1"),
        ('x = {"a" = 1, b = 1, a = 2}\n', "unifyport.toml:1 x.a: is defined twice, first on line 1"),
        ("x = { y = 1 }\nx = { y = 1 }\n", "unifyport.toml:2 x: is defined twice, first on line 1"),
        ("x = { a = 1 }\nx.b = 2\n", "unifyport.toml:2 x: cannot be extended, it is complete on line 1"),
        ("a = [1]\n[[a]]\n", "unifyport.toml:2 a: is defined twice, first on line 1"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(
    tmp_path: Path, document: str, problem: str, ending: str
) -> None:
    assert told(tmp_path, document.replace("\n", ending)) == [problem]


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    [problem] = told(tmp_path, f"a = {'[' * 5000}{']' * 5000}")
    assert "nested too deeply" in problem
    path = tmp_path / "unifyport.toml"
    path.write_bytes(b"[server]\n" + b"# long enough\n" * 10_000 + b"bind = '\xff'\n")
    with pytest.raises(Problems) as found:
        load(path, standard(), {})
    assert found.value.problems == [f"{path}:10002: the text is not UTF-8"]


# -- addresses ----------------------------------------------------------------------------------------------

PRIVATE = "the address is private, local or reserved; [security] {} can permit it, got {}"
HTTP = "plain http is only for permitted addresses, use https; [security] webhook_allow can permit it, got {}"


def address_mistakes(directory: Path, allow: str, url: str, host: str = "proxy.example") -> list[str]:
    document = (
        f'{GOOD}{allow}\n[[webhook_endpoints]]\nname = "crm"\nurl = "{url}"\n[[accounts]]\nname = "bot"\n'
        f'provider = "telegram"\ncredentials = {{ token = "1:a" }}\nproxy = {{ host = "{host}", port = 1 }}\n'
    )
    path = directory / "unifyport.toml"
    path.write_text(document)
    try:
        load(path, standard(), {})
    except Problems as wrong:
        return [problem.removeprefix(f"{directory}/") for problem in wrong.problems]
    return []


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://10.0.0.1/x", PRIVATE.format("webhook_allow", '"http://10.0.0.1/…"')),
        ("https://[::ffff:10.0.0.1]", PRIVATE.format("webhook_allow", '"https://[::ffff:10.0.0.1]"')),
        ("https://localhost/", PRIVATE.format("webhook_allow", '"https://localhost/"')),
        ("http://93.184.216.34/", HTTP.format('"http://93.184.216.34/"')),
        ("http://crm.example/", HTTP.format('"http://crm.example/"')),
        ("https://u:p@x.example/", "a URL must not hold a user name or password, got a string with @"),
        ("https://300.1.1.1/", 'must be an absolute http or https URL, got "https://300.1.1.1/"'),
    ],
)
def test_an_endpoint_that_cannot_be_reached_is_told(tmp_path: Path, url: str, text: str) -> None:
    expected = [f'unifyport.toml:6 webhook_endpoints "crm".url: {text}']
    assert address_mistakes(tmp_path, "", url) == expected


@pytest.mark.parametrize("host", ["10.0.0.1", "2130706433", "[fd00::1]", "fd00::1", "localhost"])
def test_a_proxy_that_cannot_be_reached_is_told(tmp_path: Path, host: str) -> None:
    [problem] = address_mistakes(tmp_path, "", "https://crm.example", host)
    address = {"2130706433": "127.0.0.1", "localhost": "127.0.0.1"}.get(host, host.strip("[]"))
    text = PRIVATE.format("proxy_allow", address)
    assert problem == f'unifyport.toml:11 accounts "bot".proxy.host: {text}'


def test_what_is_permitted_or_a_name_is_good(tmp_path: Path) -> None:
    allow = 'webhook_allow = ["10.0.0.0/8"]\nproxy_allow = ["10.0.0.1/32"]'
    assert address_mistakes(tmp_path, allow, "http://10.0.0.1/x", "10.0.0.1") == []
    assert address_mistakes(tmp_path, allow, "http://crm.internal/x", "proxy.internal") == []
    assert address_mistakes(tmp_path, "", "https://crm.internal/x") == []
    [problem] = address_mistakes(tmp_path, 'webhook_allow = ["10.0.0.0/99"]', "http://10.0.0.1/x")
    assert "security.webhook_allow[0]" in problem  # and nothing follows from a list that is wrong itself


@pytest.mark.parametrize(
    "server",
    [
        'bind = "127.1:0"',
        'bind = "gateway-1.internal:80"',
        'bind = "[fe80::1%eth0]:80"',
        'bind = "0.0.0.0:08080"',
        'public_url = "http://127.0.0.2:80"',
        'public_url = "http://[::1]"',
        'public_url = "http://gateway.internal"\n[providers.telegram]\nbot_api_url = "https://bots.internal"',
    ],
)
def test_what_can_work_is_good(tmp_path: Path, server: str) -> None:
    """Also a webhook of an operator's own Bot API server, which takes an http URL."""
    path = tmp_path / "unifyport.toml"
    url = "" if "public_url" in server else 'public_url = "https://gateway.example"\n'
    path.write_text(
        f'{GOOD}[[accounts]]\nname = "a"\nprovider = "telegram"\ncredentials = {{ token = "1:a" }}\n'
        f'receive = "webhook"\n[server]\n{url}{server}\n'
    )
    load(path, standard(), {})


# -- secrets ------------------------------------------------------------------------------------------------

CANARY = "c4nary-S3cret"
LEAKS = f"""\
[server]
public_url = "ftp://user:{CANARY}@gateway.example/{CANARY}"
bind = "user:{CANARY}@host"
[storage]
url = "postgres://user:{CANARY}/{CANARY}@db/{CANARY}"
[security]
master_key = "{CANARY}"
master_kye = "{CANARY}"
[[api_keys]]
name = "short"
key = "{CANARY}"
[[api_keys]]
name = "same"
key = "{CANARY}"
[[api_keys]]
name = "table"
key = {{ evn = "{CANARY}" }}
[[api_keys]]
name = "list"
key = ["{CANARY}"]
[[webhook_endpoints]]
name = "hook"
url = "ftp://hooks.example/{CANARY}?key={CANARY}"
signing_secret = "whsec_{CANARY}"
signing_secrets = "{CANARY}"
previous_signing_secret = {{ env = "{CANARY} {CANARY}" }}
delivery = {{ signatures = ["standard"], secret = "{CANARY}" }}
[[accounts]]
name = "bot"
provider = "telegram"
credentials = {{ token = "{CANARY}", webhook_secret = "{CANARY}" }}
[accounts.proxy]
type = "pigeon"
host = "{CANARY} x"
port = "{CANARY}"
user = "u\\n{CANARY}"
password = "\\n{CANARY}"
[[accounts]]
name = "flat"
provider = "telegram"
credentials = "{CANARY}"
proxy = "socks5://{CANARY}"
metadata = "{CANARY}"
[[accounts]]
name = "nested"
provider = "whatsapp"
[accounts.credentials]
access_token = {{ a = "{CANARY}" }}
app_secret = ["{CANARY}"]
phone_number_id = "{CANARY}"
[providers.telegram]
bot_api_url = "https:/{CANARY}@x"
token = "{CANARY}"
["providers.x"]
token = "{CANARY}"
"""


@pytest.mark.parametrize("redacting", [True, False])
def test_no_secret_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redacting: bool) -> None:
    if not redacting:  # secrets are left out, whether they have been registered or not
        monkeypatch.setattr(mistakes, "redact", lambda text: text)
    problems = told(tmp_path, LEAKS)
    assert len(problems) > 25
    assert not [problem for problem in problems if CANARY in problem]
    problems = told(tmp_path, f'api_keys = ["{CANARY}"]\nsecurity = "{CANARY}"\naccounts = "{CANARY}"\n')
    assert len(problems) == 3
    assert not [problem for problem in problems if CANARY in problem]


def secret_fields(kind: type) -> set[str]:
    found = set()
    for field in attrs.fields(kind):
        options = [field.type, *getattr(field.type, "__args__", ())]
        found |= {field.name} if Secret in options else set()
        for option in options:
            if isinstance(option, type) and attrs.has(option):
                found |= secret_fields(option)
    return found


def test_every_secret_option_is_hidden() -> None:
    assert {"master_key", "key", "signing_secret", "previous_signing_secret"} == secret_fields(Settings)
    assert secret_fields(Settings) <= HIDDEN


# -- what is shown ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"loud"', ', got "loud"'),
        (f'"{"louder " * 20}"', f', got "{("louder " * 20)[:60]}…"'),
        ('"\\u202e\\u0007"', r', got "\u202e\u0007"'),
        ("1979-05-27", ", got 1979-05-27"),
        ("false", ", got false"),
        ("[1]", "must be a string"),
    ],
)
def test_values_are_shown_as_they_are_written(tmp_path: Path, value: str, shown: str) -> None:
    [problem] = told(tmp_path, f"{GOOD}[logging]\nlevel = {value}\n")
    assert problem.endswith(shown)
    assert re.match(r"unifyport\.toml:4 logging\.level: ", problem)


def test_a_good_file_has_no_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(GOOD)
    settings = load(path, standard(), {})
    assert settings == Settings(
        settings.security,
        providers={name: channel.endpoints() for name, channel in standard().channels.items()},
        directory=tmp_path,
        path=path,
    )


@pytest.mark.parametrize(
    "value",
    [
        "h.example/hook?token=canary",
        "https//h.example/canary",
        "//h.example/canary",
        " ftp://h/canary",
        "canary",
    ],
)
def test_nothing_is_shown_of_what_should_be_a_url_and_is_none(tmp_path: Path, value: str) -> None:
    more = f'[[webhook_endpoints]]\nname = "crm"\nurl = "{value}"\n'
    [problem] = told(tmp_path, GOOD + more)
    assert "webhook_endpoints" in problem
    assert "canary" not in problem


@pytest.mark.parametrize(
    "more",
    [
        f"[supervision]\nmax_children = 0x{'f' * 4000}\n",
        f"[supervision.policies.default]\nmax_restarts = {'9' * 5000}\n",
        "[supervision.policies.default]\nmax_restarts = 99999999999999999999\n",
    ],
    ids=["hexadecimal", "decimal", "more than 64 bits"],
)
def test_a_number_without_measure_is_a_mistake(tmp_path: Path, more: str) -> None:
    [problem] = told(tmp_path, GOOD + more)
    assert "out of range" in problem or "too many digits" in problem


def test_growth_without_measure_and_many_restarts_are_judged_at_once(tmp_path: Path) -> None:
    more = (
        '[supervision.policies.default]\nmax_restarts = 20000000\nwindow = "36500d"\n'
        'backoff = { initial = "1s", factor = 1e308, max = "1m" }\n'
    )
    (tmp_path / "unifyport.toml").write_text(GOOD + more)
    assert (
        load(tmp_path / "unifyport.toml", standard(), {}).supervision.policies.default.max_restarts
        == 20000000
    )


NAMES = [
    ("", "must be 1 to 200 characters"),
    ("x" * 201, "must be 1 to 200 characters"),
    (" bot", "must not begin or end with a space"),
    ("bot\u00a0", "must not begin or end with a space"),
    ("bo\\u0000t", "must not hold \\u0000"),
    ("bot\u202etxet", "must not hold \\u202e"),
    ("b\u200bot", "must not hold \\u200b"),
]


@pytest.mark.parametrize(("name", "why"), NAMES)
@pytest.mark.parametrize("table", ["accounts", "webhook_endpoints", "api_keys"])
def test_names_can_be_seen_and_typed(name: str, why: str, table: str, tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(f'security.master_key = "{MASTER_KEY}"\n[[{table}]]\nname = "{name}"\n')
    with pytest.raises(Problems) as wrong:
        load(path, standard())
    [told] = [problem for problem in wrong.value.problems if ".name" in problem]
    assert why in told
    assert told.isprintable()


def test_two_spellings_of_a_name_are_one_name(tmp_path: Path) -> None:
    keys = [
        f'[[api_keys]]\nname = "{name}"\nkey = "{name[:3]}{"k" * 40}"\n' for name in ("Café", "Cafe\u0301")
    ]
    path = tmp_path / "unifyport.toml"
    path.write_text(f'security.master_key = "{MASTER_KEY}"\n{keys[1]}')
    assert [key.name for key in load(path, standard()).api_keys] == ["Café"]
    path.write_text(path.read_text() + keys[0].replace("kkk", "jjj"))
    with pytest.raises(Problems, match="the name 'Café' is used twice"):
        load(path, standard())
