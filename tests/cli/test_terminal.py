"""What commands print of texts from outside: nothing that controls the terminal, and no markup."""

import io
import json

from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from tests.model.test_texts import HOSTILE
from unifyport.cli.terminal import escaped, json_text
from unifyport.model.texts import is_one_line, visible


@given(HOSTILE | st.text("[]/\\ab=#@:"))
@example("[red]x[/red]")
@example("[link=https://evil.example]x[/link]")
@example("x\\[b]")
@example("\\")
@example("\\\\")
@example("\\\\[b]\\")
@example(":bug:")
def test_no_text_is_markup(text: str) -> None:
    written = io.StringIO()
    console = Console(file=written, highlight=False, soft_wrap=True, emoji=False, color_system=None)
    console.print(f"[bold]{escaped(text)}[/bold].")
    assert written.getvalue() == f"{visible(text)}.\n"


@given(st.dictionaries(HOSTILE, HOSTILE | st.lists(HOSTILE)))
def test_json_is_read_as_it_was_and_controls_nothing(value: dict[str, object]) -> None:
    for indent in (None, 2):
        text = json_text(value, indent=indent)
        assert json.loads(text) == json.loads(json.dumps(value))
        assert all(is_one_line(line) and visible(line) == line for line in text.split("\n"))
    assert "\n" not in json_text(value)
