"""Secrets by value: blanked wherever a text goes out,
and of those that are of no use soon not too many remembered.
"""

from unifyport.process import redaction
from unifyport.process.redaction import redact, register_fleeting, register_secret


def test_the_oldest_of_fleeting_ones_are_forgotten() -> None:
    register_secret("kept-for-ever")
    for number in range(3000):
        register_fleeting(f"code-{number:06d}")
        register_fleeting(f"code-{number:06d}")
    assert redact("a kept-for-ever, code-002999, code-000001") == "a [secret], [secret], code-000001"
    assert len(redaction._fleeting) <= 1024
    register_fleeting("kept-for-ever")  # is no less of a secret for that
    for number in range(3000):
        register_fleeting(f"more-{number:06d}")
    assert redact("kept-for-ever") == "[secret]"


def test_a_secret_that_was_taken_for_a_fleeting_one_first_is_kept() -> None:
    register_fleeting("first-fleeting")
    register_secret("first-fleeting")
    for number in range(3000):
        register_fleeting(f"even-more-{number:06d}")
    assert redact("first-fleeting") == "[secret]"
