"""What docs/supervision.md says is what happens."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs

from supervisors import Policy
from unifyport.config.settings.values import PolicySettings

PAGE = (Path(__file__).parents[2] / "docs" / "supervision.md").read_text()


def test_the_example_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [promised] = re.findall(r"print\(.*\)  # (.*)", example)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.returncode) == (promised, 0), done.stderr


def test_every_key_is_in_the_table() -> None:
    for key in attrs.fields_dict(PolicySettings):
        assert re.search(rf"^\|.*`{key}[`.].*\|", PAGE, re.MULTILINE), key


def test_the_times_of_the_defaults() -> None:
    """`about 39 minutes` until an account is parked."""
    policy = Policy()
    failing_for = sum(policy.backoff.delay(n, 0.0) for n in range(1, policy.max_restarts + 1))
    assert 38.5 <= failing_for / 60 < 39.5


def test_the_examples_in_toml_are_toml() -> None:
    for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        assert tomllib.loads(text)["supervision"]
