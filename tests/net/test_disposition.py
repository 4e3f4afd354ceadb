"""`Content-Disposition` as servers write it, and as browsers and libraries read ours."""

import email.message
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_options_header

from unifyport.model.file_names import LONGEST_NAME, clean_name
from unifyport.net.disposition import attachment, read_filename

HEADERS = {
    "attachment; filename=report.pdf": "report.pdf",
    'attachment; filename="annual report.pdf"': "annual report.pdf",
    "ATTACHMENT;FileName = a.pdf ; size=3": "a.pdf",
    r'attachment; filename="a \"quoted\" name.pdf"': 'a "quoted" name.pdf',
    r'attachment; filename="C:\files\a.pdf"': r"C:\files\a.pdf",
    'attachment; filename="a;b.pdf"': "a;b.pdf",
    "attachment; filename*=UTF-8''b%C3%A1o%20gi%C3%A1.pdf": "báo giá.pdf",
    "attachment; filename*=iso-8859-1'en'%A3%20rates": "£ rates",
    "attachment; filename*=UTF-8''x.pdf; filename=y.pdf": "x.pdf",
    "attachment; filename=y.pdf; filename*=UTF-8''x.pdf": "x.pdf",
    "attachment; filename=y.pdf; filename*=UTF-8''%ff": "y.pdf",
    "attachment; filename=y.pdf; filename*=UTF-8''%4": "y.pdf",
    "attachment; filename=y.pdf; filename*=Shift-JIS''%83": "y.pdf",
    "attachment; filename=y.pdf; filename*=nonsense": "y.pdf",
    "attachment; filename=a%20b.pdf": "a%20b.pdf",
    'inline; filename="báo giá.pdf"': "báo giá.pdf",
    "attachment": "",
    "": "",
    "filename=x": "",
    'attachment; filename="': '"',
}


@pytest.mark.parametrize(("header", "name"), HEADERS.items())
def test_the_name_in_a_header(header: str, name: str) -> None:
    assert read_filename(header) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_is_written_is_read_by_all(name: str) -> None:
    header = attachment(name)
    assert header.isascii()
    assert header.isprintable()
    assert read_filename(header) == name
    assert parse_options_header(header) == ("attachment", {"filename": name})
    message = email.message.EmailMessage(policy=email.policy.HTTP)
    message["content-disposition"] = header
    if name.isprintable() and name.strip() == name:  # the library drops other letters
        assert message.get_filename() == name


@given(st.text())
def test_no_header_is_too_odd(header: str) -> None:
    name = clean_name(read_filename(header))
    assert len(name) <= LONGEST_NAME
    assert not {"/", "\\", "\0", "\r", "\n"} & set(name)


def test_a_download_without_a_name() -> None:
    assert attachment("") == "attachment"
