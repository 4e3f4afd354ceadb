"""The ring of master keys: what it keeps in memory."""

import base64
import tracemalloc

import pytest

from unifyport.storage import sealing
from unifyport.storage.sealing import KeyRing, SealError


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing.parse(KeyRing.new_key())


def test_values_that_do_not_open_leave_nothing_in_memory(ring: KeyRing) -> None:
    """A caller that has seen one link knows the id of the master key, and can make up contexts."""
    seen = ring.seal_text("media", b"a handle", context="acc_1")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(seen + "==")[:17] + bytes(24)).decode()

    def forge(numbers: range) -> None:
        for number in numbers:
            with pytest.raises(SealError):
                ring.open_text("media", forged, context=f"{number}".ljust(8000, "x"))

    forge(range(100))
    tracemalloc.start()
    try:
        forge(range(100, 500))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # 400 contexts have 3.2 MB


def test_what_is_kept_is_bounded_in_bytes(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_CACHE_BYTES", 100_000)
    sealed = {}
    tracemalloc.start()
    try:
        for number in range(400):
            context = f"{number}".ljust(4000, "x")
            sealed[number] = ring.seal_text("media", b"%d" % number, context=context, repeatable=True)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 500_000
    for number, text in sealed.items():
        assert ring.open_text("media", text, context=f"{number}".ljust(4000, "x")) == b"%d" % number
