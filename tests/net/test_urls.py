"""URLs with hosts in other letters, where a client or a platform wants them in ASCII."""

from pathlib import Path

import pytest

from unifyport.config.settings import load
from unifyport.net.urls import NotAUrl, in_ascii
from unifyport.providers.http import origin_of
from unifyport.providers.registry import standard


@pytest.mark.parametrize(
    ("url", "ascii_url"),
    [
        ("https://faß.example/ß?ß#ß", "https://xn--fa-hia.example/ß?ß#ß"),
        ("https://FAß.example:8443/", "https://xn--fa-hia.example:8443/"),
        ("https://é:ß@faß.example/", "https://é:ß@xn--fa-hia.example/"),
        ("https://fass.example/ß", "https://fass.example/ß"),
        ("https://fass.example/", "https://fass.example/"),
    ],
)
def test_only_the_host_is_encoded(url: str, ascii_url: str) -> None:
    assert in_ascii(url) == ascii_url


@pytest.mark.parametrize("url", ["https://☃.example/", "https://[é/"])
def test_a_host_that_is_none(url: str) -> None:
    with pytest.raises(NotAUrl):
        in_ascii(url)


def test_one_origin_has_one_spelling() -> None:
    assert origin_of("https://FAß.example/a") == origin_of("https://xn--fa-hia.example:443/b")
    assert origin_of("https://faß.example/") != origin_of("https://fass.example/")
    assert origin_of("https://☃.example/") == ("", None, None)


def test_platforms_are_given_the_public_url_in_ascii(tmp_path: Path) -> None:
    path = tmp_path / "unifyport.toml"
    document = '[server]\npublic_url = "https://Faß.example/gateway"\n[security]\nmaster_key = "KEY"\n'
    path.write_text(document.replace("KEY", "A" * 43 + "="), encoding="utf-8")
    assert load(path, standard()).server.public_url == "https://xn--fa-hia.example/gateway"
