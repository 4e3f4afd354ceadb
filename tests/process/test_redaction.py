"""Secrets by value: blanked wherever a text goes out, and of those that are of no use soon not too many
remembered of one account, whatever the others do.
"""

import gc
import threading

from unifyport.process import redaction
from unifyport.process.redaction import ShortLivedSecrets, redact, register_secret


def test_the_oldest_short_lived_ones_of_an_account_are_forgotten() -> None:
    register_secret("kept-for-ever")
    secrets = ShortLivedSecrets(most=8)
    for number in range(3000):
        secrets.register(f"code-{number:06d}")
        secrets.register(f"code-{number:06d}")
    assert redact("a kept-for-ever, code-002999, code-002991") == "a [secret], [secret], code-002991"
    secrets.register("kept-for-ever")  # is no less of a secret for that
    secrets.forget()
    assert redact("kept-for-ever, code-002999") == "[secret], code-002999"


def test_no_account_has_the_secrets_of_another_one_forgotten() -> None:
    accounts = [ShortLivedSecrets(most=2) for _ in range(2000)]
    for number, secrets in enumerate(accounts):
        secrets.register(f"{number:06d}-access")
        secrets.register(f"{number:06d}-refresh")
    for number in range(2000):
        assert redact(f"{number:06d}-access {number:06d}-refresh") == "[secret] [secret]"


def test_the_secrets_of_an_account_that_is_gone_are_forgotten() -> None:
    gone, other = ShortLivedSecrets(), ShortLivedSecrets()
    for secrets in (gone, other):
        secrets.register("shared-code")
    gone.register("own-code")
    del gone, secrets
    gc.collect()
    before = len(redaction._holders)
    secrets = ShortLivedSecrets()
    assert redact("shared-code") == "[secret]"
    other.register("again-code")  # takes the note of what is gone
    assert redact("own-code shared-code again-code") == "own-code [secret] [secret]"
    assert len(redaction._holders) <= before
    other.forget()
    assert redact("shared-code again-code") == "shared-code again-code"
    secrets.register("short")
    assert redact("short") == "short"


def test_a_secret_that_was_taken_for_a_short_lived_one_first_is_kept() -> None:
    secrets = ShortLivedSecrets()
    secrets.register("first-short-lived")
    register_secret("first-short-lived")
    secrets.forget()
    assert redact("first-short-lived") == "[secret]"


def test_threads_register_while_a_text_is_blanked() -> None:
    """Tokens of one platform begin with the same letters."""
    ended = threading.Event()

    def register() -> None:
        for number in range(20_000):
            register_secret(f"prefix{number:06d}")
        ended.set()

    thread = threading.Thread(target=register)
    thread.start()
    try:
        while not ended.is_set():
            assert redact("prefix----") == "prefix----"
    finally:
        thread.join()
    assert redact("prefix019999") == "[secret]"
