"""The lines that mistakes in a configuration file are told with."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from unifyport.config.settings.lines import KeyPath, find_lines

DOCUMENT = '''\
# [not.a.table] comment
top = "a # no comment, [no table]" # [nor.this]

[server]            # a table
bind = "x"
tls = { cert = "a, b } ]", key = 'c"' }
"quoted key".'and "this"'.third = 1
"esc\\u0041ped" = 2
networks = [
  # "10.0.0.0/8",
  "127.0.0.0/8", "::1/128",

  "]",
]
text = """
[fake]
bind = "inner \\""""
empty = """"""
ends_with_quotes = """ two: """""
literal = \'\'\'
x = [\\\'\'\'
when = 1979-05-27 07:32:00
after = [1979-05-27 07:32:00, 2]

[[accounts]]
name = "one"
credentials.token = "t"
credentials.more = { a.b = [1,
   { deep = [[2], [
   3]] }] }
[accounts.supervision]
window = "1h"
[accounts.supervision.backoff]
max = "5m"
[[ accounts ]]
  name = "two"
  [[accounts.inner]]
  x = 1
  [[accounts.inner]]
  x = 2
  [accounts.inner.sub]
  y = 3
[  spaced . "out" ]
z = 1
'''

PLACES: list[tuple[KeyPath, int]] = [
    (("top",), 2),
    (("server",), 4),
    (("server", "bind"), 5),
    (("server", "tls"), 6),
    (("server", "tls", "key"), 6),
    (("server", "quoted key", 'and "this"', "third"), 7),
    (("server", "quoted key"), 7),
    (("server", "escAped"), 8),
    (("server", "networks"), 9),
    (("server", "networks", 0), 11),
    (("server", "networks", 1), 11),
    (("server", "networks", 2), 13),
    (("server", "text"), 15),
    (("server", "empty"), 18),
    (("server", "ends_with_quotes"), 19),
    (("server", "literal"), 20),
    (("server", "when"), 22),
    (("server", "after", 1), 23),
    (("accounts",), 25),
    (("accounts", 0), 25),
    (("accounts", 0, "name"), 26),
    (("accounts", 0, "credentials", "token"), 27),
    (("accounts", 0, "credentials", "more", "a", "b"), 28),
    (("accounts", 0, "credentials", "more", "a", "b", 1, "deep"), 29),
    (("accounts", 0, "credentials", "more", "a", "b", 1, "deep", 1, 0), 30),
    (("accounts", 0, "supervision"), 31),
    (("accounts", 0, "supervision", "window"), 32),
    (("accounts", 0, "supervision", "backoff", "max"), 34),
    (("accounts", 1), 35),
    (("accounts", 1, "name"), 36),
    (("accounts", 1, "inner", 0, "x"), 38),
    (("accounts", 1, "inner", 1), 39),
    (("accounts", 1, "inner", 1, "x"), 40),
    (("accounts", 1, "inner", 1, "sub", "y"), 42),
    (("spaced", "out", "z"), 44),
]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(("path", "line"), PLACES)
def test_where_a_value_stands(path: KeyPath, line: int, ending: str) -> None:
    assert find_lines(DOCUMENT.replace("\n", ending)).find_line(path) == line


def leaves(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from leaves(item, (*path, key))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_value_has_a_line_of_its_own(ending: str) -> None:
    text = DOCUMENT.replace("\n", ending)
    lines = find_lines(text)
    known = set(leaves(tomllib.loads(text)))
    assert known == set(lines._lines)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("server", "tls", "missing"), 6),
        (("server", "missing", "deeper"), 4),
        (("accounts", 0, "missing"), 25),
        (("accounts", 1, "inner", 1, "missing"), 39),
        (("missing", "section"), None),
        ((), None),
    ],
)
def test_what_is_missing_is_looked_for_in_the_nearest_table(path: KeyPath, line: int | None) -> None:
    assert find_lines(DOCUMENT).find_line(path) == line


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a = 1", "a=1#x", "[a]", "a = '''\n'''"])
def test_small_documents(text: str) -> None:
    assert set(leaves(tomllib.loads(text))) == set(find_lines(text)._lines)


@pytest.mark.parametrize("text", ["[a", "a = [1", "a = {", 'a = "x', "= 1", "]", "a = 'x\ny'", '"\\q" = 1'])
def test_what_is_no_toml_ends_the_scan(text: str) -> None:
    assert find_lines(f"good = 1\n{text}").find_line(("good",)) == 1
