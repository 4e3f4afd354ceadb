"""The codes of the format, and the words that are written as one or two bytes.

The words are in `tokens.json`, which names their source. A code below 236 is a word of the first table; 236
to 239 name a table of further words, and the next byte the word in it.
"""

import json
from importlib import resources
from typing import Final

LIST_EMPTY: Final = 0
DICTIONARY_0: Final = 236
DICTIONARY_3: Final = 239
INTEROP_JID: Final = 245
FB_JID: Final = 246
AD_JID: Final = 247
LIST_8: Final = 248
LIST_16: Final = 249
JID_PAIR: Final = 250
HEX_8: Final = 251
BINARY_8: Final = 252
BINARY_20: Final = 253
BINARY_32: Final = 254
NIBBLE_8: Final = 255

PACKED_MAX: Final = 127  # characters that are packed as half bytes
COMPRESSED: Final = 2  # bit of the flag byte

_tables = json.loads(resources.files(__package__).joinpath("tokens.json").read_text("utf-8"))
DICTIONARY_VERSION: Final[int] = _tables["dictionary_version"]
SINGLE: Final[tuple[str, ...]] = tuple(_tables["single"])
DOUBLE: Final[tuple[tuple[str, ...], ...]] = tuple(map(tuple, _tables["double"]))

CODES: Final[dict[str, bytes]] = {word: bytes((code,)) for code, word in enumerate(SINGLE) if word} | {
    word: bytes((DICTIONARY_0 + table, code))
    for table, words in enumerate(DOUBLE)
    for code, word in enumerate(words)
}
