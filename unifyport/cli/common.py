"""What commands share: loading the configuration, calling a running server, printing, failing."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import httpx
import trio
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from unifyport.config.settings import Settings, find_database, load, socket_of
from unifyport.model.structuring import Problems
from unifyport.net.clients import ssl_context
from unifyport.providers.registry import standard

from .terminal import escaped, json_text

F = TypeVar("F", bound=Callable[..., Any])

console = Console(highlight=False, soft_wrap=True, emoji=False)  # lines stay whole, for grep and for copying
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

DEFAULT_CONFIG = "unifyport.toml"
FAILED, WRONG_USAGE = 1, 2
FILE_WIDTH = 200  # columns of a table that is written to a file or a pipe
CA_FILE = "unifyport.ca_file"
SOCKET = "unifyport.socket"
ANSWER_SECONDS = 5.0
# What OpenSSL says to an answer that is not TLS, by its version.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
STREAM_SECONDS = 45.0  # read time-out of a stream; the server sends a keep-alive every 15 s


def fail(message: str, code: int = FAILED) -> NoReturn:
    errors.print("[red]error:[/red]", "\n".join(map(escaped, message.split("\n"))))
    sys.exit(code)


def print_shape(shape: Table | Tree) -> None:
    """Print as wide as the terminal; to a file or a pipe, `FILE_WIDTH` columns wide."""
    width = None if console.is_terminal else FILE_WIDTH
    Console(highlight=False, width=width, emoji=False).print(shape)


def run_async(main: Callable[[], Awaitable[None]]) -> None:
    """`trio.run` for commands: of an exception group, raises only the first exception."""
    try:
        trio.run(main)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def config_option(function: F) -> F:
    return click.option(
        "-c",
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path(DEFAULT_CONFIG),
        show_default=True,
        envvar="UNIFYPORT_CONFIG",
        show_envvar=True,
        help="The configuration file.",
    )(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def server_options(function: F) -> F:
    """Options to reach a running server: by URL and key, or by the socket beside its database."""
    function = click.option("--url", envvar="UNIFYPORT_URL", help="The server's base URL.")(function)
    function = click.option(
        "--socket",
        envvar="UNIFYPORT_SOCKET",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_socket,
        help="The server's socket, instead of the one beside the database that the file names.",
    )(function)
    function = click.option(
        "--ca-file",
        envvar="UNIFYPORT_CA_FILE",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        expose_value=False,
        callback=_remember_ca_file,
        help="Trust anchors (PEM) for the server's certificate, beside the system's.",
    )(function)
    function = click.option("--api-key", envvar="UNIFYPORT_API_KEY", help="An API key.")(function)
    return config_option(function)


def _remember_ca_file(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    context.meta[CA_FILE] = value


def _remember_socket(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    context.meta[SOCKET] = value


def find_socket(config_path: Path) -> Path:
    """The socket of `--socket`, else the one beside the database that the file names."""
    given: Path | None = click.get_current_context().meta.get(SOCKET)
    if given is not None:
        return given
    try:
        return socket_of(find_database(config_path))
    except OSError as error:
        text = f"{config_path}: {error.strerror}; name the file (-c, UNIFYPORT_CONFIG), the server's socket"
        fail(f"{text} (--socket), or its --url and --api-key", WRONG_USAGE)


def load_settings(path: Path, *, secrets: bool = True) -> Settings:
    """The settings of a file. Prints every problem of a wrong file and exits with 2.

    `secrets`: see `load`.
    """
    try:
        return load(path, standard(), secrets=secrets)
    except Problems as wrong:
        print_problems(wrong)
        if not path.exists():
            errors.print("'unifyport init' writes a configuration file.")
        sys.exit(WRONG_USAGE)


def print_problems(wrong: Problems) -> None:
    for problem in wrong.problems:
        errors.print(f"[red]error:[/red] {escaped(problem)}")


class NoAnswer(Exception):
    """No server answers, or not now; the text says where and what."""


class Api:
    """Client of a running server. An error answer ends the command with exit code 1."""

    def __init__(self, config_path: Path, url: str | None, api_key: str | None) -> None:
        headers = {"x-api-key": api_key} if api_key else {}
        transport = None
        where = url
        if url is None and api_key is None:
            socket = find_socket(config_path)
            transport, where = httpx.HTTPTransport(uds=str(socket)), f"the socket {socket}"
        elif not (url and api_key):
            fail("--url (UNIFYPORT_URL) and --api-key (UNIFYPORT_API_KEY) go together", WRONG_USAGE)
        self._client = httpx.Client(
            base_url=url or "http://local",
            headers=headers,
            transport=transport,
            timeout=30.0,
            verify=ssl_context(click.get_current_context().meta.get(CA_FILE)),
            trust_env=False,
        )
        self._where = where
        self._is_plain_url = url is not None and url.startswith("http://")

    def __call__(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request; returns the answer's `data`."""
        try:
            return self.request(method, path, **arguments)
        except NoAnswer as lost:
            fail(str(lost))

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """As a call, but raises `NoAnswer` where no server answers, and where it may answer another time."""
        try:
            response = self._client.request(method, path, **arguments)
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as lost:
            raise NoAnswer(self._describe(lost)) from None
        if _may_pass(response):
            raise NoAnswer("\n".join(_explain(response, _body_of(response))))
        return self._data(response)

    def _describe(self, lost: Exception) -> str:
        """Why nothing answers, with the likely cause: a wrong scheme looks like a server that is broken."""
        hint = "is 'unifyport serve' running?"
        if isinstance(lost, httpx.UnsupportedProtocol | httpx.InvalidURL):
            hint = "a URL begins with http:// or https://"
        elif any(word in str(lost) for word in _NOT_TLS):
            hint = "does it speak plain http? Try the URL with http://"
        elif self._is_plain_url and isinstance(lost, httpx.RemoteProtocolError | httpx.ReadError):
            hint = "does it speak TLS? Try the URL with https://"
        return f"no server answers at {self._where} ({lost}); {hint}"

    def answers(self) -> bool:
        """Whether a server answers there at all."""
        try:
            self._client.request("GET", "/healthz", timeout=ANSWER_SECONDS)
        except httpx.TransportError:
            return False
        return True

    def account(self, name: str) -> dict[str, Any]:
        """The account with this id or name. Ends the command if there is not exactly one."""
        known: list[dict[str, Any]] = self("GET", "/v1/accounts")
        found = [each for each in known if name in (each["id"], each["name"])]
        if len(found) != 1:
            fail(f"{len(found) or 'no'} accounts are called {name!r}")
        return found[0]

    @staticmethod
    def _data(response: httpx.Response) -> Any:
        body = _body_of(response)
        if response.is_success and body is not None:
            return body.get("data")
        error = {} if body is None else body.get("error", {})
        if error.get("code") == "invalid_configuration":
            print_problems(Problems(error.get("problems") or [error.get("message", "")]))
            errors.print("nothing was changed")
            sys.exit(WRONG_USAGE)
        fail("\n".join(_explain(response, body)))

    def stream(self, path: str, query: dict[str, str], *, patient: bool = False) -> Iterator[dict[str, str]]:
        """Messages of server-sent events, also those without data, until the connection is lost.

        If the server cannot be reached, or answers with 5xx or 429, the command ends; with `patient`, only
        the iteration ends.
        """
        quiet = httpx.Timeout(30.0, read=STREAM_SECONDS)
        try:
            with self._client.stream("GET", path, params=query, timeout=quiet) as response:
                if not response.is_success:
                    response.read()
                    if patient and _may_pass(response):
                        return
                    self._data(response)
                message: dict[str, str] = {}
                for line in _lines(response.iter_bytes()):
                    if line:
                        name, _, value = line.partition(": ")
                        message[name] = value
                    elif message:
                        yield message
                        message = {}
        except httpx.ConnectError as lost:
            if not patient:
                fail(self._describe(lost))
        except httpx.TransportError:
            return


def _may_pass(response: httpx.Response) -> bool:
    """Whether the same request may be answered another time: the server is not ready, a proxy has lost it."""
    return response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS


def _body_of(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object of an answer; None if the answer is not from UnifyPort."""
    try:
        body = response.json() if response.content else {}
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("error", {}), dict) else None


def _explain(response: httpx.Response, body: dict[str, Any] | None) -> list[str]:
    """An answer that is an error, in lines."""
    if body is None or "error" not in body:
        return [f"HTTP {response.status_code}: the answer is not from UnifyPort"]
    error = body["error"]
    line = f"{error.get('code')}: {error.get('message')} (request {body.get('request_id')})"
    if (wait := response.headers.get("retry-after")) is not None:
        line += f"; again in {wait} s"
    problems = error.get("problems", [])
    return [line, *problems] if len(problems) > 1 else [line]


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Complete lines. Only LF ends one: a JSON string may hold the other signs at which Python splits."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode()


def print_json(value: Any) -> None:
    click.echo(json_text(value, indent=2))
