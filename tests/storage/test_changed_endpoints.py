"""What a change of one endpoint among many costs: only rows that have changed are read and unsealed."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.world import EPOCH_MS, RING, InLoopStore
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import DeleteEndpoint, PutEndpoint
from unifyport.storage.sqlite import reads


async def test_only_rows_that_have_changed_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = InLoopStore(tmp_path / "t.db", RING, lambda: EPOCH_MS)
    store.open()
    try:
        await store.commit(
            [PutEndpoint(WebhookEndpoint(f"we_{no}", "https://x.example")) for no in range(200)]
        )
        everything, gone = await store.changed_endpoints({})
        assert (len(everything), gone) == (200, [])
        known = {row.id: (row.version, row.orders) for row in everything}
        await store.commit(
            [
                PutEndpoint(attrs.evolve(everything[7], status="inactive")),
                PutEndpoint(WebhookEndpoint("we_new", "https://x.example")),
                DeleteEndpoint("we_9"),
            ]
        )
        unsealed = list[Any]()
        to_endpoint = reads.to_endpoint

        def count(row: Any, ring: Any) -> WebhookEndpoint:
            unsealed.append(row)
            return to_endpoint(row, ring)

        monkeypatch.setattr(reads, "to_endpoint", count)
        changed, gone = await store.changed_endpoints(known)
        assert ({row.id for row in changed}, gone) == ({"we_7", "we_new"}, ["we_9"])
        assert len(unsealed) == 2
    finally:
        store.close()
