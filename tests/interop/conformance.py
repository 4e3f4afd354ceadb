"""docs/conformance.md: which operation came to what when the official SDK called it, and where each error code comes from."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from unifyport.api.app import ROUTES
from unifyport.api.openapi import document

ROOT = Path(__file__).parents[2]
FACTS = json.loads((ROOT / "tests" / "contract" / "operations.json").read_text())
OPERATIONS = {operation["operationId"]: operation for operation in FACTS["operations"]}
STATUSES = (400, 401, 404, 409, 500, 501, 502, 503)
# What the contract declares: (operation, status).
DECLARED = [
    (name, status) for name, operation in OPERATIONS.items() for status in operation["error_statuses"]
]

_ASKS_NOBODY = "it reads or ends what is here, and needs no connection for that"
REASONS: dict[tuple[str, int], str] = {
    (
        "checkAccountQrAuth",
        409,
    ): "the answer to whoever asks how it goes is how it went: 200 and `authorized`",
    ("cancelAccountAuth", 409): _ASKS_NOBODY,
    ("refreshAccountRuntime", 409): _ASKS_NOBODY,
    ("stopAccountRuntime", 409): _ASKS_NOBODY,
    (
        "deactivateWebhookEndpoint",
        400,
    ): "it has no field that could be wrong, and succeeds whoever else changes the endpoint",
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
    "deactivate_webhook_endpoint_failed": "an endpoint is deactivated whoever else changes it meanwhile",
}


def page(succeeded: Sequence[dict[str, Any]], failed: Sequence[dict[str, Any]]) -> str:
    """The whole page, from the lines of both runs."""
    parts = [
        "# Conformance",
        "",
        "<!-- Written by a run of the official SDK against this server: scripts/conformance. Do not edit. -->",
        "",
        "The official Python SDK calls all 64 operations of the public v1 contract, sync and async, against a running",
        "gateway (`tests/interop/test_sdk.py`). Each success is judged field by field by the types that the SDK's own",
        "models declare. Each error status that the contract declares is produced, or it is said below why it cannot occur.",
        "",
        "## Operations",
        "",
        *_operations(succeeded, failed),
        "",
        "Statuses that we answer beyond those: 404 for ids of nothing, 413 and 415 for bodies, 429 with `Retry-After` for API",
        "keys and platforms that limit a rate, 503 with `Retry-After` while storage is unavailable, 405 for a wrong method.",
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


def _additions(lines: Iterable[dict[str, Any]]) -> list[str]:
    fields: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        for field in line.get("additions", ()):
            fields[field.replace("[]", "").removeprefix("data.")].add(line["operation"])
    rows = ["Fields of answers:", ""]
    rows += [f"- `{name}`: {', '.join(f'`{o}`' for o in sorted(by))}" for name, by in sorted(fields.items())]
    rows += ["", "Routes:", ""]
    described = document(ROUTES)["paths"]
    for route in ROUTES:
        if route.extension:
            summary = described[route.path][route.method.lower()]["summary"]
            rows.append(f"- `{route.method} {route.path}`: {summary}")
    return rows
