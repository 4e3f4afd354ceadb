"""Forms, whatever the names and values in them, as a library reads them that is not ours."""

import io
from pathlib import Path

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.formparser import MultiPartParser

from unifyport.front.forms import parse_header
from unifyport.model.file_names import clean_name
from unifyport.net.bodies import FormFile, Multipart

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\r\n;%\\\x00-:='))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "file"
    path.write_bytes(b"\r\n--content")
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT, TEXT)
def test_no_value_ends_its_part(file: Path, value: str, filename: str, mime_type: str) -> None:
    photo = FormFile("photo", str(file), filename, mime_type, 11)
    form = Multipart({"caption": value}, photo, attrs.evolve(photo, name="second"))

    async def read() -> bytes:
        return b"".join([chunk async for chunk in form])

    body = trio.run(read)
    assert len(body) == int(form.headers["content-length"])
    boundary = parse_header(form.headers["content-type"])[1]["boundary"].encode()
    fields, files = MultiPartParser().parse(io.BytesIO(body), boundary, len(body))
    assert list(fields.items(multi=True)) == [("caption", value)]
    [(name, found), (other, second)] = files.items(multi=True)
    assert (name, found.stream.read()) == ("photo", b"\r\n--content")
    assert (other, second.stream.read()) == ("second", b"\r\n--content")
    if (clean := clean_name(filename)) and clean == filename:  # the names that are sent
        assert found.filename == filename
