"""docs/writing-a-connector.md: its connector runs as it stands there, and its tables leave nothing out."""

import inspect
import re
from pathlib import Path
from typing import Any

import attrs

from tests.harness import endpoint, gateway, receiver, settings_of
from tests.reference.platform import TOKEN
from tests.reference.serving import reference_platform
from unifyport.api.app import ROUTES
from unifyport.model import inbound
from unifyport.providers.contract import login
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import CAPABILITIES
from unifyport.providers.contract.errors import ChannelError
from unifyport.providers.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-connector.md").read_text()


async def test_the_connector_of_the_page_runs(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    written: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "writing-a-connector.md", "exec"), written)
    channel = written["CHANNEL"]
    async with reference_platform() as reference, receiver() as inbox:
        more = (
            f'[[accounts]]\nname = "a"\nprovider = "tiktok"\ncredentials = {{ token = "{TOKEN}" }}\n'
            f'[providers.tiktok]\napi_url = "{reference.url}"\n' + endpoint(inbox.url)
        )
        settings = settings_of(tmp_path, more, registry=Registry([channel]))
        async with gateway(settings, [channel]) as api:
            [account] = await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
            reference.platform.write("hello")
            await inbox.until(lambda: bool(inbox.of("message.received")))
            [event] = inbox.of("message.received")
            assert event["text"] == "hello"
            body = {
                "account_id": account["id"],
                "to": {"id": event["data"]["conversation"]["id"], "type": "user"},
                "message": {"type": "text", "text": "hello yourself"},
            }
            assert (await api.data("POST", "/v1/messages", body))["message_id"] == "message-1"
            assert reference.platform.sent[0]["text"] == "hello yourself"
            image = {**body, "message": {"type": "image", "url": "https://x.example/a"}}
            refused = await api("POST", "/v1/messages", image)
            assert refused.json()["error"]["code"] == "unsupported_message_type"


def test_every_capability_is_in_the_table_as_it_is() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+\([^`]*\))` \|", PAGE, re.M))
    reads = set(re.findall(r"^\| `(\w+)` \| `[^`]*` \| reads \|", PAGE, re.M))
    for name, known in CAPABILITIES.items():
        signature = inspect.signature(known.method)
        parameters = ", ".join(list(signature.parameters)[1:])
        assert rows[name] == f"{known.method_name}({parameters})"
        assert (name in reads) == known.reads
    operations = {route.operation_id for route in ROUTES}
    named = set(re.findall(r"^\| `\w+` \| `\w+\([^|]*\| (?:reads)? ?\| `(\w+)`", PAGE, re.M))
    assert named
    assert named <= operations


def test_nothing_of_the_contracts_is_left_out() -> None:
    for kind in ChannelError.__subclasses__():
        assert f"`{kind.__name__}(" in PAGE
    for kind in inbound.ProviderEvent.__args__:
        assert f"`{kind.__name__}`" in PAGE
    for field in attrs.fields(ConnectionSpec):
        assert f"`{field.name}`" in PAGE, field.name
    for name, _ in inspect.getmembers(login.Dialog, inspect.isfunction):
        if not name.startswith("_"):
            assert f"dialog.{name}(" in PAGE
