"""`backup`, `restore`, `doctor` and `keys reseal` as commands, and paths that only look absolute."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.harness import gateway, settings_of, write_config
from unifyport.cli import main
from unifyport.cli.keys import open_store
from unifyport.config.settings import load
from unifyport.fleet.leases import DatabaseLock
from unifyport.model.structuring import Problems
from unifyport.providers.registry import standard
from unifyport.storage.sealing import KeyRing


def run(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "-c", str(directory / "unifyport.toml")])


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory with a configuration file and a database."""
    with open_store(settings_of(tmp_path)):
        pass
    return tmp_path


def test_a_backup_is_made_and_restored(made: Path) -> None:
    file = made / "backup.db"
    done = run(made, "backup", str(file), "--json")
    assert json.loads(done.stdout) == {"file": str(file), "bytes": file.stat().st_size}
    again = run(made, "backup", str(file))
    assert (again.exit_code, "exists; nothing was written" in again.stderr) == (1, True)
    missing = run(made, "backup", str(made / "disk" / "backup.db"))
    assert (missing.exit_code, "no directory" in missing.stderr) == (1, True)
    assert not (made / "disk").exists()
    (made / "unifyport.db").unlink()
    assert "is missing, but" in run(made, "doctor").stdout
    assert run(made, "restore", str(file)).exit_code == 0
    assert run(made, "doctor", "--deep").exit_code == 0


def test_a_database_in_use_is_not_replaced(made: Path) -> None:
    assert run(made, "backup", str(made / "backup.db")).exit_code == 0
    lock = DatabaseLock(made / "unifyport.db")
    lock.acquire()
    refused = run(made, "restore", str(made / "backup.db"))
    lock.release()
    assert (refused.exit_code, "owns this database" in refused.stderr) == (1, True)


def test_each_state_of_the_database_has_one_line_that_says_what_to_do(made: Path) -> None:
    database = made / "unifyport.db"
    database.write_bytes(b"x" * database.stat().st_size)
    failed = run(made, "backup", str(made / "b.db"))
    assert "unifyport restore FILE" in failed.stderr
    found = run(made, "doctor", "--deep").stdout
    assert "unifyport restore FILE" in found
    assert "doctor --deep" not in found  # which is what was asked
    database.write_bytes(b"")
    assert run(made, "doctor").stdout.count("problem") == 1
    failed = run(made, "backup", str(made / "b.db"))
    assert "is empty, but" in failed.stderr
    assert not list(made.glob("b.db*"))


def test_what_may_not_be_written_is_a_problem(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(made, "doctor").exit_code == 0
    monkeypatch.setattr("os.access", lambda path, mode: path != made)  # root may write everywhere
    found = run(made, "doctor")
    assert (found.exit_code, f"{made} cannot be written" in found.stdout) == (1, True)


def test_a_directory_for_files_that_is_a_file_is_a_problem(made: Path) -> None:
    file = made / "unifyport.toml"
    file.write_text(file.read_text() + '[media]\ndirectory = "files/of/customers"\n')
    assert run(made, "doctor").exit_code == 0  # it is made when the first file comes
    (made / "files").touch()
    found = run(made, "doctor")
    assert (found.exit_code, f"{made / 'files/of/customers'}, for files" in found.stdout) == (1, True)


def test_a_delivery_that_is_an_endpoint_is_told(made: Path) -> None:
    failed = run(made, "webhooks", "show", "crm")
    assert (failed.exit_code, "unifyport webhooks deliveries crm" in failed.stderr) == (1, True)


def test_messages_name_the_file_of_the_key(made: Path) -> None:
    (made / "master.key").write_text(KeyRing.new_key())
    found = run(made, "doctor")
    assert f"{made / 'master.key'} does not open it" in found.stdout
    for command in (["backup", str(made / "b.db")], ["serve"]):
        failed = run(made, *command)
        assert failed.exit_code == 1
        assert f"(the key is in {made / 'master.key'})" in failed.stderr
        assert len(failed.stderr.splitlines()) == 1


def test_an_old_key_is_retired(made: Path) -> None:
    key, new = made / "master.key", KeyRing.new_key()
    key.write_text(f"{key.read_text()}\n{new}\n")
    done = json.loads(run(made, "keys", "reseal", "--json").stdout)
    assert done["resealed"] >= 2
    assert done["left"] == {}
    key.write_text(new)
    assert run(made, "doctor").exit_code == 0


async def test_a_server_that_does_not_know_the_new_key_keeps_the_old_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with gateway(settings):
        key = tmp_path / "master.key"
        key.write_text(f"{key.read_text()}\n{KeyRing.new_key()}\n")
        refused = run(tmp_path, "keys", "reseal")
        assert (refused.exit_code, "restart it first" in refused.stderr) == (1, True)
        assert run(tmp_path, "backup", str(tmp_path / "backup.db")).exit_code == 0  # while it runs


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("sqlite:///var/lib/unifyport.db", False),
        ("sqlite:///data/unifyport.db", True),  # the directory is there
        ("sqlite:////var/lib/unifyport.db", True),
        ("sqlite:///unifyport.db", True),
        ("sqlite:///var.db", True),
    ],
)
def test_a_path_that_only_looks_absolute_is_a_mistake(tmp_path: Path, url: str, good: bool) -> None:
    (tmp_path / "data").mkdir()
    path = write_config(tmp_path, more=f'[storage]\nurl = "{url}"\n')
    if good:
        load(path, standard())
        return
    with pytest.raises(Problems, match=r"is relative to this file: .*four slashes"):
        load(path, standard())
