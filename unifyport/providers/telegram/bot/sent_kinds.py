"""Messages that are a field of `provider_data`: polls, locations, ... (albums: `albums.py`)

Each row of `METHODS` is a method of the Bot API with the names that the field may hold. What Telegram would
refuse for its size or shape is refused before it is sent, as far as it can be told.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from unifyport.providers.contract.fields import fits, invalid

from .field_types import check_kinds

MAX_CAPTION = 1024
MAX_QUESTION = 300
MAX_OPTION = 100
OPTIONS = (1, 12)  # of a poll
TASKS = (1, 30)  # of a checklist


@attrs.frozen
class Method:
    """`within`: the parameter that takes the field whole; empty: its names are parameters."""

    name: str
    check: Callable[[Any], Any]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    within: str = ""


def render_content(field: str, value: Any, text: str) -> tuple[str, dict[str, Any]]:
    """The method that sends a content, and its parameters. `text` has no place in one. Raises `Rejected`."""
    method = METHODS[field]
    if text:
        raise invalid(field, "there is no place for message.text beside it")
    if isinstance(value, Mapping):
        _check_names(field, value, method)
        check_kinds(field, value)
    checked = method.check(value)
    return method.name, {method.within: checked} if method.within else dict(checked)


def _check_names(field: str, value: Mapping[str, Any], method: Method) -> None:
    missing = [name for name in method.required if value.get(name) is None]
    if missing:
        raise invalid(field, f"needs {', '.join(missing)}")
    unknown = sorted(value.keys() - {*method.required, *method.optional})
    if unknown:
        raise invalid(field, f"has no {', '.join(unknown)[:200]}")


def _place(field: str) -> Callable[[Any], Any]:
    return lambda value: _check_place(field, value)


def _check_place(field: str, value: Any) -> Any:
    for name, largest in (("latitude", 90), ("longitude", 180)):
        degrees = value[name]
        if isinstance(degrees, bool) or not isinstance(degrees, int | float) or not abs(degrees) <= largest:
            raise invalid(f"{field}.{name}", f"must be a number from -{largest} to {largest}")
    return value


def _poll(value: Any) -> Any:
    if not fits(value["question"], MAX_QUESTION):
        raise invalid("poll.question", f"must be 1 to {MAX_QUESTION} characters")
    least, most = OPTIONS
    options = value["options"]
    if not isinstance(options, list) or not least <= len(options) <= most:
        raise invalid("poll.options", f"must be {least} to {most}")
    options = [{"text": option} if isinstance(option, str) else option for option in options]
    if not all(isinstance(option, dict) and fits(option.get("text"), MAX_OPTION) for option in options):
        raise invalid("poll.options", f"must be texts of 1 to {MAX_OPTION} characters, or objects with text")
    return {**value, "options": options}


def _checklist(value: Any) -> Any:
    least, most = TASKS
    tasks = value["tasks"]
    if not isinstance(tasks, list) or not least <= len(tasks) <= most:
        raise invalid("checklist.tasks", f"must be {least} to {most}")
    tasks = [{"id": n, "text": task} if isinstance(task, str) else task for n, task in enumerate(tasks, 1)]
    return {**value, "tasks": tasks}


def _rich_message(value: Any) -> Any:
    sources = [name for name in ("html", "markdown", "blocks") if value.get(name)]
    if len(sources) != 1:
        raise invalid("rich_message", "needs one of html, markdown, blocks")
    return value


def _anything(value: Any) -> Any:
    return value


METHODS: Mapping[str, Method] = {
    "location": Method(
        "sendLocation",
        _place("location"),
        ("latitude", "longitude"),
        ("horizontal_accuracy", "live_period", "heading", "proximity_alert_radius"),
    ),
    "venue": Method(
        "sendVenue",
        _place("venue"),
        ("latitude", "longitude", "title", "address"),
        ("foursquare_id", "foursquare_type", "google_place_id", "google_place_type"),
    ),
    "poll": Method(
        "sendPoll",
        _poll,
        ("question", "options"),
        (
            "question_parse_mode",
            "question_entities",
            "is_anonymous",
            "type",
            "allows_multiple_answers",
            "allows_revoting",
            "shuffle_options",
            "allow_adding_options",
            "hide_results_until_closes",
            "members_only",
            "country_codes",
            "correct_option_ids",
            "explanation",
            "explanation_parse_mode",
            "explanation_entities",
            "open_period",
            "close_date",
            "is_closed",
            "description",
            "description_parse_mode",
            "description_entities",
        ),
    ),
    "dice": Method("sendDice", _anything, optional=("emoji",)),
    "checklist": Method(
        "sendChecklist",
        _checklist,
        ("title", "tasks"),
        ("parse_mode", "title_entities", "others_can_add_tasks", "others_can_mark_tasks_as_done"),
        within="checklist",
    ),
    "rich_message": Method(
        "sendRichMessage",
        _rich_message,
        optional=("html", "markdown", "blocks", "is_rtl", "skip_entity_detection"),
        within="rich_message",
    ),
    "invoice": Method(
        "sendInvoice",
        _anything,
        ("title", "description", "payload", "currency", "prices"),
        (
            "provider_token",
            "max_tip_amount",
            "suggested_tip_amounts",
            "start_parameter",
            "provider_data",
            "photo_url",
            "photo_size",
            "photo_width",
            "photo_height",
            "need_name",
            "need_phone_number",
            "need_email",
            "need_shipping_address",
            "send_phone_number_to_provider",
            "send_email_to_provider",
            "is_flexible",
        ),
    ),
}
