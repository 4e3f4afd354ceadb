"""The demo's configuration file, and what it says when its round is over."""

import json
from pathlib import Path

from unifyport.model.toml_strings import toml_string

from .common import console
from .demo_channels import CUSTOMERS, SECRET


def add_settings(config: Path, port: int, hook: str, platforms: str) -> None:
    """Complete the file that `init` has written. `hook`: the receiver. `platforms`: the sandbox's part."""
    text = config.read_text(encoding="utf-8")
    where = f'public_url = "http://127.0.0.1:{port}"'
    text = text.replace('# public_url = "https://gateway.example"', where)
    text += f"""
[[webhook_endpoints]]
name = "demo"
url = {toml_string(hook)}
signing_secret = "{SECRET}"
"""
    for customer in CUSTOMERS:
        pairs = ", ".join(f"{name} = {toml_string(text)}" for name, text in customer.credentials.items())
        text += f"""
[[accounts]]
name = "{customer.account}"
provider = "{customer.channel}"
credentials = {{ {pairs} }}
"""
    text += f"\n{platforms}"
    config.write_text(text, encoding="utf-8")


def explain(config: Path, control: str, *, key: str) -> None:
    """How to go on from here. `control`: the URL of the sandbox."""
    mei = CUSTOMERS[0]
    console.print(
        "\nIt goes on until Ctrl-C. Type a line to write as the WhatsApp customer, or from another terminal:"
    )
    for customer in CUSTOMERS:
        console.print(
            "  curl -H 'content-type: application/json'"
            f" -d '{json.dumps({**customer.order, 'text': 'hello'})}'"
            f" {control}/sandbox/{customer.channel}/messages"
        )
    console.print(f"  unifyport send -c {config} {mei.account} {mei.order['from']} 'hello'", soft_wrap=True)
    console.print(f"  unifyport status -c {config}", soft_wrap=True)
    console.print(f"API key: {key}   log: {config.parent / 'gateway.log'}\n", soft_wrap=True)
