"""Reactions: Zalo's codes (`rType`, `rIcon`) and the emoji that we show for them.

Codes: https://github.com/RFS-ADRENO/zca-js 2.2.0 (`src/models/Reaction.ts`, `src/apis/addReaction.ts`).
The emoji are ours, chosen by the codes' names. An icon that is not here is shown as Zalo writes it.
"""

from typing import Final

import attrs

SOURCE: Final = 6
REMOVED: Final = -1


@attrs.frozen
class Icon:
    type: int
    code: str
    emoji: str


ICONS: Final = tuple(
    Icon(type_, code, emoji)
    for type_, code, emoji in (
        (5, "/-heart", "❤️"),
        (3, "/-strong", "👍"),
        (0, ":>", "😆"),
        (32, ":o", "😮"),
        (2, ":-((", "😭"),
        (20, ":-h", "😡"),
        (8, ":-*", "😘"),
        (7, ":')", "😂"),
        (66, "/-shit", "💩"),
        (120, "/-rose", "🌹"),
        (65, "/-break", "💔"),
        (4, "/-weak", "👎"),
        (29, ";xx", "😍"),
        (51, ";-/", "😕"),
        (45, ";-)", "😉"),
        (121, "/-fade", "🥀"),
        (67, "/-li", "☀️"),
        (126, "/-bd", "🎂"),
        (127, "/-bome", "💣"),
        (68, "/-ok", "👌"),
        (69, "/-v", "✌️"),
        (70, "/-thanks", "🤝"),
        (71, "/-punch", "👊"),
        (72, "/-share", "🫶"),
        (73, "_()_", "🙏"),
        (131, "/-no", "🙅"),
        (132, "/-bad", "😈"),
        (133, "/-loveu", "🤟"),
        (1, "--b", "😔"),
        (16, ":((", "😢"),
        (21, "x-)", "😏"),
        (22, "8-)", "🤓"),
        (23, ";-d", "😁"),
        (26, "b-)", "😎"),
        (30, ":--|", "😐"),
        (35, "p-(", "🙁"),
        (36, ":-bye", "👋"),
        (38, "|-)", "😴"),
        (39, ":wipe", "😓"),
        (42, ":-dig", "🤏"),
        (44, "&-(", "😖"),
        (46, ":handclap", "👏"),
        (47, ">-|", "😠"),
        (48, ":-f", "🪑"),
        (49, ":-l", "👈"),
        (50, ":-r", "👉"),
        (52, ";-x", "🤐"),
        (53, ":-o", "😲"),
        (54, ";-s", "😳"),
        (60, ";-a", "😨"),
        (61, ":-<", "😞"),
        (62, ":))", "🤣"),
        (63, "$-)", "🤑"),
        (99, "/-beer", "🍺"),
    )
)
_BY_CODE: Final = {icon.code: icon for icon in ICONS}
_BY_EMOJI: Final = {icon.emoji.rstrip("\ufe0f"): icon for icon in ICONS}


def emoji_of(code: str) -> str:
    """The emoji of an icon; "" if the reaction was taken back."""
    known = _BY_CODE.get(code)
    return known.emoji if known else code[:64]


def icon_of(emoji: str) -> Icon | None:
    """The icon of an emoji or of a code; None if Zalo has none."""
    return _BY_EMOJI.get(emoji.rstrip("\ufe0f")) or _BY_CODE.get(emoji)
