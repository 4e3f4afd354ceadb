"""Where a running server is found, and a check without secrets: neither needs the whole file."""

import os
from pathlib import Path

import pytest

from unifyport.config.settings import find_database, load
from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard

FOUND = [
    ("", "unifyport.db"),
    ('[storage]\nurl = "sqlite:///data/mine.db"\n', "data/mine.db"),
    ('storage.url = "sqlite:///mine.db"\n', "mine.db"),
    ('storage = { url = "sqlite:///mine.db" }\n', "mine.db"),
    ('[server\nbind =\n[ storage ]  # here\nurl = "sqlite:///mine.db" # and here\n[x', "mine.db"),
    ('[[accounts]]\nurl = "sqlite:///wrong.db"\n[storage]\nurl = "sqlite:///mine.db"\nx = \n', "mine.db"),
    ('storage.url = "sqlite:///mine.db"\n[accounts\n', "mine.db"),
    ('[accounts]\nstorage.url = "sqlite:///wrong.db"\n[\n', "unifyport.db"),
    ("[storage]\nurl = 5\n", "unifyport.db"),
    ('[storage]\nurl = "sqlite:///mine\n', "unifyport.db"),
    ("storage = 5\n", "unifyport.db"),
    ("\x00\xff", "unifyport.db"),
]


@pytest.mark.parametrize(("text", "name"), FOUND)
def test_the_database_is_found_in_what_can_be_read(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_bytes(text.encode("latin-1"))
    assert find_database(path) == tmp_path / name


CHECKED = """\
[server]
tls = { cert = "not-here.pem", key = "not-here-either.pem" }
[security]
master_key = { file = "not-here.key" }
ca_file = "not-here-too.pem"
[providers.tiktok]
client_key = { env = "NOT_SET" }
[[api_keys]]
name = "one"
key = { env = "NOT_SET" }
[[api_keys]]
name = "two"
key = { env = "NOT_SET" }
[[webhook_endpoints]]
name = "crm"
url = "https://crm.example/"
signing_secret = { file = "not-here.secret" }
delivery = { signatures = ["standard"] }
[[accounts]]
name = "bot"
provider = "telegram"
credentials = { token = { env = "NOT_SET" } }
proxy = { type = "http", host = "proxy.example", port = 1, username = "u", password = { env = "NOT_SET" } }
[[accounts]]
name = "other"
provider = "telegram"
credentials = { token = { env = "NOT_SET" } }
"""


def test_a_check_without_secrets_reads_none(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(CHECKED)
    assert [account.name for account in load(path, standard(), secrets=False).accounts] == ["bot", "other"]
    with pytest.raises(Problems) as wrong:
        load(path, standard())
    assert len(wrong.value.problems) >= 8


def test_a_check_without_secrets_finds_every_other_mistake(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(CHECKED.replace('"telegram"', '"telegarm"', 1).replace("master_key", "master_kye"))
    with pytest.raises(Problems) as wrong:
        load(path, standard(), secrets=False)
    said = "\n".join(wrong.value.problems)
    assert 'did you mean "telegram"?' in said
    assert "security.master_key: is required" in said
    assert "NOT_SET" not in said
    path.write_text(CHECKED.replace('{ env = "NOT_SET" }', '"short"'))
    with pytest.raises(Problems, match="must be at least 32 printable"):
        load(path, standard(), secrets=False)


def mode_of_master_key(tmp_path: Path, mode: int) -> str:
    path = tmp_path / "unifyport.toml"
    path.write_text('security.master_key = { file = "master.key" }\n')
    key = tmp_path / "master.key"
    key.write_text("A" * 43 + "=")
    key.chmod(mode)
    try:
        load(path, standard())
    except Problems as wrong:
        return "\n".join(wrong.problems)
    return ""


@pytest.mark.parametrize("mode", [0o622, 0o620, 0o602, 0o666])
def test_a_master_key_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    said = mode_of_master_key(tmp_path, mode)
    assert "may be written by others" in said
    assert "chmod 600" in said


def test_a_master_key_of_ours_that_all_may_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of root is not: it is mounted, and what mounts it guards it."""
    assert mode_of_master_key(tmp_path, 0o600) == mode_of_master_key(tmp_path, 0o640) == ""
    owner = (tmp_path / "master.key").stat().st_uid
    said = mode_of_master_key(tmp_path, 0o644)
    assert ("may be read by everybody" in said) is (owner != 0)
    if owner == 0:
        os.chown(tmp_path / "master.key", 4711, -1)
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        with pytest.raises(Problems, match="may be read by everybody"):
            load(tmp_path / "unifyport.toml", standard())


def test_trust_anchors_that_cannot_be_read_are_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    path.write_text(f'[security]\nmaster_key = "{"A" * 43}="\nca_file = "ca.pem"\n')
    with pytest.raises(Problems, match=r"unifyport.toml:3 security.ca_file: cannot be read \(No such file"):
        load(path, standard())
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(Problems, match=r"security\.ca_file: holds no certificate"):
        load(path, standard())
