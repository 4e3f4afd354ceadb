"""docs/conformance.md: which operation came to what when the official SDK called it,
and where each error code comes from.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unifyport.api.app import ROUTES
from unifyport.api.http.openapi import document

ROOT = Path(__file__).parents[2]
FACTS = json.loads((ROOT / "tests" / "contract" / "operations.json").read_text())
OPERATIONS = {operation["operationId"]: operation for operation in FACTS["operations"]}
DOCUMENT = document(ROUTES)
STATUSES = (400, 401, 404, 409, 500, 501, 502, 503)
# What the contract declares: (operation, status).
DECLARED = [
    (name, status) for name, operation in OPERATIONS.items() for status in operation["error_statuses"]
]

_ASKS_NO_PLATFORM = "it reads or ends what is here, and needs no connection for that"
REASONS: dict[tuple[str, int], str] = {
    (
        "checkAccountQrAuth",
        409,
    ): "a question about a login that has ended is answered with its outcome: 200 and `authorized`",
    ("cancelAccountAuth", 409): _ASKS_NO_PLATFORM,
    ("refreshAccountRuntime", 409): _ASKS_NO_PLATFORM,
    ("stopAccountRuntime", 409): _ASKS_NO_PLATFORM,
    (
        "deactivateWebhookEndpoint",
        400,
    ): "it has no field that could be wrong, and succeeds also while another caller changes the endpoint",
    ("deleteAccount", 502): "an account whose connector is gone can be deleted",
}

# Codes that no run of the SDK produces, and the test that does.
ELSEWHERE = {
    "missing_api_key": "tests/api/test_files_out.py",
    "invalid_conversation_type": "tests/api/test_main_job.py",
    "unsupported_conversation_type": "tests/api/test_whatsapp.py",
    "unsupported_message_type": "tests/api/test_capabilities.py",
    "invalid_reply_token": "tests/api/test_reply_tokens.py",
    "unsupported_action": "tests/api/test_codes.py",
    "account_allocation_busy": "tests/api/test_codes.py",
    "no_allocatable_server": "tests/api/test_codes.py",
    "workspace_account_quota_exceeded": "tests/api/test_codes.py",
    "get_session_failed": "tests/api/test_codes.py",
}
IMPOSSIBLE = {
    "run_action_failed": "every account action is of `auth` or `runtime`, and has the code of those",
    "deactivate_webhook_endpoint_failed": "an endpoint is deactivated also while another caller changes it",
}


def page(succeeded: Sequence[dict[str, Any]], failed: Sequence[dict[str, Any]]) -> str:
    """The whole page, from the lines of both runs."""
    parts = [
        "# Conformance",
        "",
        "<!-- Written by a run of the official SDK against this server: scripts/conformance. Do not"
        " edit. -->",
        "",
        "The official Python SDK calls all 64 operations of the public v1 contract, sync and async,"
        " against a running",
        "gateway (`tests/interop/test_sdk.py`). Each success is judged field by field by the types"
        " that the SDK's own",
        "models declare. Each error status that the contract declares is produced, or it is said"
        " below why it cannot occur: a",
        "500 by a platform that refuses or, where no platform is asked, by a table taken out of the"
        " database while the server runs.",
        "",
        "## Operations",
        "",
        *_operations(succeeded, failed),
        "",
        "Statuses that we answer beyond those: 404 for ids of nothing, 413 and 415 for bodies, 429"
        " with `Retry-After` for API",
        "keys, platforms and paces that limit a rate, 503 with `Retry-After` while storage is unavailable"
        " or too many sends",
        "wait, 405 for a wrong method.",
        "",
        "## Error codes",
        "",
        *_codes([*succeeded, *failed]),
        "",
        "## What is added to the contract",
        "",
        *_additions(succeeded),
        "",
    ]
    return "\n".join(parts)


def _operations(succeeded: Iterable[dict[str, Any]], failed: Iterable[dict[str, Any]]) -> list[str]:
    good: dict[str, set[int]] = defaultdict(set)
    bad: dict[tuple[str, int], set[str]] = defaultdict(set)
    for line in succeeded:
        if "code" not in line and "pages" not in line:
            good[line["operation"]].add(line["status"])
    for line in failed:
        if line["status"] == line["wanted"]:
            bad[line["operation"], line["status"]].add(line["code"])
    notes = list(dict.fromkeys(REASONS.values()))
    rows = [
        f"| Operation | success | {' | '.join(map(str, STATUSES))} |",
        "| --- " * (len(STATUSES) + 2) + "|",
    ]
    for name in OPERATIONS:
        cells = [f"`{name}`", ", ".join(map(str, sorted(good[name])))]
        for status in STATUSES:
            codes = " ".join(f"`{code}`" for code in sorted(bad.get((name, status), ())))
            if (name, status) in REASONS:
                codes = f"[{notes.index(REASONS[name, status]) + 1}]"
            cells.append(codes or ("" if (name, status) in DECLARED else "–"))
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, "", *(f"{number}. Cannot occur: {note}." for number, note in enumerate(notes, 1))]


def _codes(lines: Iterable[dict[str, Any]]) -> list[str]:
    produced: dict[tuple[str, int], set[str]] = defaultdict(set)
    for line in lines:
        if "code" in line:
            produced[line["code"], line["status"]].add(line["operation"])
    rows = ["| Code | status | produced by |", "| --- | --- | --- |"]
    for fact in FACTS["error_codes"]:
        code, status = fact["code"], fact["status"]
        if (code, status) in produced:
            by = sorted(produced[code, status])
            where = f"the SDK: `{by[0]}`" + (f" and {len(by) - 1} more" if len(by) > 1 else "")
        elif code in ELSEWHERE:
            assert code in (ROOT / ELSEWHERE[code]).read_text(), f"{ELSEWHERE[code]} does not speak of {code}"
            where = f"`{ELSEWHERE[code]}`"
        else:
            assert code in IMPOSSIBLE, f"nothing produces {code} ({status})"
            where = f"does not occur: {IMPOSSIBLE[code]}"
        rows.append(f"| `{code}` | {status} | {where} |")
    return rows


def _named(operations: set[str]) -> str:
    return (
        "every operation"
        if operations == set(OPERATIONS)
        else ", ".join(f"`{o}`" for o in sorted(operations))
    )


def _additions(lines: Iterable[dict[str, Any]]) -> list[str]:
    answers: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        for field in line.get("additions", ()):
            answers[field.replace("[]", "").removeprefix("data.")].add(line["operation"])
    bodies: dict[str, set[str]] = defaultdict(set)
    parameters: dict[str, set[str]] = defaultdict(set)
    for name, operation in OPERATIONS.items():
        mine = DOCUMENT["paths"][operation["path"]][operation["method"].lower()]
        for field in _fields(mine) - _known_fields(operation):
            bodies[field].add(name)
        known = {"X-Request-Id", *(each["name"] for each in operation["query_params"])}
        for parameter in mine["parameters"]:
            if parameter["in"] != "path" and parameter["name"] not in known:
                parameters[parameter["name"]].add(name)
    rows: list[str] = []
    for title, found in (("answers", answers), ("bodies", bodies), ("queries and headers", parameters)):
        rows += [f"Fields of {title}:", ""]
        rows += [f"- `{name}`: {_named(by)}" for name, by in sorted(found.items())]
        rows.append("")
    rows += ["Routes:", ""]
    for route in ROUTES:
        if route.extension:
            summary = DOCUMENT["paths"][route.path][route.method.lower()]["summary"]
            rows.append(f"- `{route.method} {route.path}`: {summary}")
    return rows


def _fields(operation: dict[str, Any]) -> set[str]:
    """The fields of an operation's body, as our document has them."""
    content = operation.get("requestBody", {}).get("content", {})
    shape = content.get("application/json", {}).get("schema", {})
    shape = shape.get("allOf", [shape])[0]
    if "$ref" in shape:
        shape = DOCUMENT["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return set(shape.get("properties", {}))


def _known_fields(operation: dict[str, Any]) -> set[str]:
    body = operation["request_body"] or {}
    shape = FACTS["schemas"].get(body.get("schema", ""), {})
    while "ref" in shape:
        shape = FACTS["schemas"][shape["ref"]]
    return {*shape.get("fields", {}), *body.get("known_fields", {})}
