"""Secrets by value: blanked wherever a text goes out, and not for ever: of those that are of no use soon not
too many are remembered of one account, whatever the others do; others are forgotten with their owner.
"""

import gc
import threading

from unifyport.process import redaction
from unifyport.process.redaction import (
    HeldSecrets,
    ShortLivedSecrets,
    forget_secrets,
    redact,
    register_secrets,
)


def test_the_oldest_short_lived_ones_of_an_account_are_forgotten() -> None:
    register_secrets("acct_kept", ["kept-for-ever"])
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
    register_secrets("acct_first", ["first-short-lived"])
    secrets.forget()
    assert redact("first-short-lived") == "[secret]"


def test_threads_register_while_a_text_is_blanked() -> None:
    """Tokens of one platform begin with the same letters."""
    ended = threading.Event()

    def register() -> None:
        for number in range(20_000):
            register_secrets(f"acct_{number % 100}", [f"prefix{number:06d}"])
        ended.set()

    thread = threading.Thread(target=register)
    thread.start()
    try:
        while not ended.is_set():
            assert redact("prefix----") == "prefix----"
    finally:
        thread.join()
    assert redact("prefix019999") == "[secret]"


def test_former_secrets_of_an_owner_are_blanked_but_not_for_ever() -> None:
    def known() -> int:
        return sum(map(len, redaction._secrets.values()))

    register_secrets("acct_former", ["former-0000", None, "short", "always-there"])
    before = known()
    for number in range(1, 3 * redaction.MOST_FORMER):
        register_secrets("acct_former", [f"former-{number:04d}", "always-there"])
        register_secrets("acct_former", [f"former-{number:04d}", "always-there"])
    assert known() <= before + redaction.MOST_FORMER
    last = 3 * redaction.MOST_FORMER - 1
    assert redact(f"former-{last} former-{last - 1} always-there") == "[secret] [secret] [secret]"
    assert redact("former-0000") == "former-0000"
    register_secrets("acct_former", [f"former-{last - 1:04d}"])  # as it was before
    forget_secrets("acct_former")
    assert redact(f"former-{last} former-{last - 1} always-there") == "[secret] [secret] [secret]"
    for number in range(redaction.MOST_FORMER):
        register_secrets("acct_other", [f"others-{number:04d}"])
    forget_secrets("acct_other")
    assert redact(f"former-{last} former-{last - 1} always-there") == (
        f"former-{last} former-{last - 1} always-there"
    )


def test_secrets_of_a_file_live_as_long_as_its_settings() -> None:
    running, written = HeldSecrets(), HeldSecrets()
    running.register("in-both-files")
    running.register("x" * 20_000)
    written.register("in-both-files")
    written.register("in-the-refused-one")
    assert redact("in-both-files in-the-refused-one" + "x" * 20_000) == "[secret] [secret][secret]"
    del written
    gc.collect()
    forget_secrets("nobody")  # takes the note of what is gone
    assert redact("in-both-files in-the-refused-one") == "[secret] in-the-refused-one"


def test_of_the_owners_that_are_gone_only_the_newest_are_known() -> None:
    for number in range(redaction.MOST_GONE + 10):
        forget_secrets(f"we_{number}")
    assert len(redaction._gone) == redaction.MOST_GONE
    register_secrets("we_20", ["late-secret"])
    assert redact("late-secret") == "late-secret"
