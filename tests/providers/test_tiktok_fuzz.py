"""Nothing that could come makes TikTok's parser raise, nor what makes events of it."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.normalize import normalize
from unifyport.providers.tiktok.business.parse import parse_webhook

NOW = 1_780_790_400
NAMES = st.sampled_from(
    "event user_openid content create_time client_key type text body image video media_id sticker url emoji"
    " reaction operation original_msg_id template elements buttons title share_post embed_url from to"
    " from_user to_user id role conversation_id message_id timestamp message_tag source read"
    " last_read_timestamp referral referenced_message_info referenced_message_id reply_source_payload"
    " reply_source_unique_id comment_id comment_text unique_identifier auto_message_type".split()
)
WORDS = st.sampled_from(
    "im_receive_msg im_send_msg im_mark_read_msg im_referral_msg im_receive_msg_eu text image reaction API"
    " APP im_receive_high_intent_comment video sticker emoji template share_post ADD REMOVE b1 c1 m1".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=30,
)


@settings(max_examples=600, deadline=None)
@given(envelope=st.dictionaries(NAMES, VALUES, max_size=8), content=VALUES, as_string=st.booleans())
def test_any_json_is_parsed(envelope: dict[str, Any], content: Any, as_string: bool) -> None:
    body = {**envelope, "content": json.dumps(content) if as_string else content}
    check(json.dumps(body).encode())


@settings(max_examples=300, deadline=None)
@given(content=st.dictionaries(NAMES, VALUES, max_size=12), event=WORDS, at=st.integers(0, 10**15))
def test_any_content_is_parsed(content: dict[str, Any], event: str, at: int) -> None:
    head = {"conversation_id": "c1", "message_id": "m1", "from_user": {"id": "u1"}, "timestamp": at}
    body = {"event": event, "user_openid": "b1", "content": json.dumps({**head, **content})}
    check(json.dumps(body).encode())


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_parsed(body: bytes) -> None:
    check(body)


def check(body: bytes) -> None:
    """Never raises, also when the events are made of it; a repeat has the same keys."""
    found = parse_webhook(body, "path")
    assert found
    assert [each.event.key for each in parse_webhook(body, "path")] == [each.event.key for each in found]
    for addressed in found:
        normalize(addressed.event, NOW * 1000)
