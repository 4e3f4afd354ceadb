"""Bodies that cannot be read, at each connection that its platform calls: refused or kept, never raised."""

from pathlib import Path

import pytest

from unifyport import providers
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.registry import standard

CALLED = {
    f"{channel.name}-{spec.auth_mode}-{place}": spec
    for channel in standard().channels.values()
    for place, spec in enumerate(channel.connections)
    if spec.ingress is not None
}
BODIES = [
    b"",
    b"\xff",
    b'{"\xff":1}',
    b'{"app_id":"\xff","timestamp":"\xc3","event":"\xff","entry":[{"changes":[{"\xff":1}]}]}',
    b'{"app_id":"\\ud83d","event":"\\ud83d"}',
    b'{"a":' + b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"app_id":1e999}',
]


@pytest.mark.parametrize("spec", CALLED.values(), ids=CALLED)
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_of_anyone(spec: ConnectionSpec, body: bytes) -> None:
    assert spec.ingress is not None
    credentials = {credential.name: "0123456789abcdef" for credential in spec.credentials}
    assert not spec.ingress.verify(credentials, {}, body)
    for addressed in spec.ingress.parse(body, "1"):
        assert addressed.event.key
    if spec.ingress.acknowledge is not None:
        assert isinstance(spec.ingress.acknowledge(body), bytes)


def test_who_decodes_expects_every_error_of_decoding() -> None:
    """`UNREADABLE` has what `msgspec.DecodeError` lacks: no UTF-8, and nesting without end."""
    [folder] = providers.__path__
    sources = {path: path.read_text() for path in Path(folder).rglob("*.py")}
    assert [path for path, text in sources.items() if "except msgspec.DecodeError" in text] == []
