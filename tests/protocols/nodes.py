"""Strategies: stanzas as hypothesis draws them."""

import string

from hypothesis import strategies as st

from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.binary_node.jid import DOMAINS, SERVERS
from unifyport.protocols.binary_node.tokens import DOUBLE, SINGLE

USERS = st.text(string.digits, min_size=1, max_size=15)
JIDS = st.one_of(
    st.builds(Jid, USERS, st.sampled_from(sorted(SERVERS))),
    st.builds(Jid, USERS, st.sampled_from(sorted(DOMAINS)), st.integers(0, 255)),
    st.builds(Jid, USERS, st.just("msgr"), st.integers(0, 0xFFFF)),
    st.builds(Jid, USERS, st.just("interop"), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from([word for word in SINGLE if word]),
    st.sampled_from(DOUBLE[0] + DOUBLE[3]),
    st.text(string.digits + "-.", max_size=130),
    st.text(string.digits + "ABCDEF", max_size=130),
    st.text(string.digits + ":.@_" + string.ascii_lowercase, max_size=12),
    JIDS.map(str),
)
NAMES = TEXTS.filter(bool)
NODES = st.recursive(
    st.builds(Node, NAMES, st.dictionaries(TEXTS, TEXTS, max_size=4), st.none() | st.binary(max_size=300)),
    lambda inner: st.builds(
        Node, NAMES, st.dictionaries(TEXTS, TEXTS, max_size=4), st.lists(inner, max_size=4)
    ),
    max_leaves=12,
)
