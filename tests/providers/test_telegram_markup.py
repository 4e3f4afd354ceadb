"""Texts with a parse mode, as the Bot API's documentation has them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.message import OutboundText
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.telegram.user.markup import marked_up
from unifyport.providers.telegram.user.mentions import expanded, wanted

V2, HTML, OLD = "MarkdownV2", "HTML", "Markdown"
CASES = [
    (V2, "*bold \\*text*", "bold *text", [("bold", 0, 10)]),
    (
        V2,
        "_italic_ __under__ ~gone~ ||secret||",
        "italic under gone secret",
        [("italic", 0, 6), ("underline", 7, 5), ("strikethrough", 13, 4), ("spoiler", 18, 6)],
    ),
    (
        V2,
        "*bold _italic ~both~ ||spoiler||_ bold*",
        "bold italic both spoiler bold",
        [("bold", 0, 29), ("italic", 5, 19), ("strikethrough", 12, 4), ("spoiler", 17, 7)],
    ),
    (V2, "___italic under_\r__", "italic under\r", [("underline", 0, 13), ("italic", 0, 12)]),
    (V2, "[page](http://www.example.com/)", "page", [("text_link", 0, 4)]),
    (V2, "[Mei](tg://user?id=123456789)", "Mei", [("text_mention", 0, 3)]),
    (V2, "![👍](tg://emoji?id=5368324170671202286)", "👍", [("custom_emoji", 0, 1)]),
    (V2, "`a\\`b`", "a`b", [("code", 0, 3)]),
    (V2, "```python\nx = 1```", "x = 1", [("pre", 0, 5)]),
    (V2, ">one\n>two\nafter", "one\ntwo\nafter", [("blockquote", 0, 7)]),
    (V2, "**>one\n>two||\n", "one\ntwo\n", [("expandable_blockquote", 0, 7)]),
    (HTML, "<b>bold</b>, <strong>bold</strong>", "bold, bold", [("bold", 0, 4), ("bold", 6, 4)]),
    (
        HTML,
        "<i>a</i><u>b</u><s>c</s><tg-spoiler>d</tg-spoiler>",
        "abcd",
        [("italic", 0, 1), ("underline", 1, 1), ("strikethrough", 2, 1), ("spoiler", 3, 1)],
    ),
    (HTML, '<a href="http://www.example.com/">page</a> &lt;&amp;&#33;', "page <&!", [("text_link", 0, 4)]),
    (HTML, '<a href="tg://user?id=12">Mei</a>', "Mei", [("text_mention", 0, 3)]),
    (HTML, '<span class="tg-spoiler">x</span>', "x", [("spoiler", 0, 1)]),
    (HTML, '<pre><code class="language-python">x = 1</code></pre>', "x = 1", [("pre", 0, 5)]),
    (HTML, "<blockquote expandable>long</blockquote>", "long", [("expandable_blockquote", 0, 4)]),
    (
        OLD,
        "*bold* _it_ `code` [a](http://x.y/) snake\\_case",
        "bold it code a snake_case",
        [("bold", 0, 4), ("italic", 5, 2), ("code", 8, 4), ("text_link", 13, 1)],
    ),
]


@pytest.mark.parametrize(("mode", "text", "plain", "entities"), CASES)
def test_documented_markup(mode: str, text: str, plain: str, entities: list[tuple[str, int, int]]) -> None:
    got, found = marked_up(text, mode)
    assert got == plain
    assert [(each["type"], each["offset"], each["length"]) for each in found] == entities


def test_the_language_of_code_is_kept() -> None:
    for mode, text in ((V2, "```python\nx```"), (HTML, '<pre><code class="language-python">x</code></pre>')):
        assert marked_up(text, mode)[1][0]["language"] == "python"


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (V2, "a.b"),
        (V2, "*open"),
        (V2, "[x] y"),
        (V2, "```x"),
        (V2, "`x"),
        (HTML, "<b>x"),
        (HTML, "x</b>"),
        (HTML, "<script>x</script>"),
        (HTML, "<b><i>x</b></i>"),
        (OLD, "*open"),
        ("BBCode", "x"),
    ],
)
def test_what_the_platform_would_refuse(mode: str, text: str) -> None:
    with pytest.raises(Rejected):
        marked_up(text, mode)


@settings(max_examples=400, deadline=None)
@given(
    st.text(alphabet="ab *_~|`[]()!<>/&;#\\\n=\"'.1😀", max_size=60),
    st.sampled_from([V2, HTML, OLD]),
)
def test_any_text_is_read_or_refused(text: str, mode: str) -> None:
    try:
        plain, entities = marked_up(text, mode)
    except Rejected:
        return
    for each in entities:
        assert 0 <= each["offset"] < each["offset"] + each["length"] <= len(plain)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["{{@7}}", "{{@8}}", "a", "😀", " ", "*b*", "<i>", "</i>"]), max_size=8),
    st.sampled_from([None, HTML, OLD]),
    st.text(min_size=1, max_size=9),
)
def test_mentions_are_where_the_names_are(parts: list[str], mode: str | None, name: str) -> None:
    message = OutboundText("7", "user", "".join(parts), parse_mode=mode, mentions=["7"])
    if not wanted(message):
        return
    try:
        made = expanded(message, {"7": name})
    except Rejected:
        return
    mentions = [each for each in made.provider_data["entities"] if each["type"] == "text_mention"]
    assert len(mentions) == parts.count("{{@7}}")
    for each in mentions:
        assert made.text[each["offset"] : each["offset"] + each["length"]] == name
    for each in made.provider_data["entities"]:
        if each["type"] == "bold":
            assert made.text[each["offset"] : each["offset"] + each["length"]] == "b"
