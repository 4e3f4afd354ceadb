"""The tables of `provider_data`: what connections declare, in the document and on the page."""

from pathlib import Path

from unifyport.api.app import ROUTES
from unifyport.api.http.openapi import document
from unifyport.api.http.provider_data import describe, page
from unifyport.providers.registry import standard

PAGE = Path(__file__).parents[2] / "docs" / "provider-data.md"


def test_the_page_says_what_connections_declare() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(standard()), "run scripts/provider-data"


def test_the_document_says_what_connections_declare() -> None:
    described = document(list(ROUTES))
    describe(described, standard())
    schemas = described["components"]["schemas"]
    sends = schemas["SendMessageRequest"]["properties"]["provider_data"]
    fields = {each["name"]: each for each in sends["x-provider-fields"]["telegram (token)"]}
    assert fields["parse_mode"]["type"] == ["string"]
    assert "`parse_mode` (string)" in sends["description"]
    account = schemas["AccountRequest"]["properties"]["provider_data"]["x-provider-fields"]
    assert [each["name"] for each in account["telegram (token)"]] == ["token", "webhook_secret"]


def test_the_document_says_what_a_strict_request_is() -> None:
    described = document(list(ROUTES))
    operation = described["paths"]["/v1/messages"]["post"]
    assert "X-Strict" in [each["name"] for each in operation["parameters"]]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["warnings"]["items"] == {"$ref": "#/components/schemas/FieldWarning"}
