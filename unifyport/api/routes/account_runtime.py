"""Account runtime: the operator's verbs, answered with what is observed afterwards."""

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.runtime import SupervisedAccount, Verb
from unifyport.model.times import rfc3339

from .. import schemas
from ..http.errors import INVALID_REQUEST, NOT_BOUND, NOT_FOUND, error
from ..http.routing import Call, Handler, Route


def _handler(verb: Verb) -> Handler:
    async def handle(call: Call) -> schemas.RuntimeActionResult:
        done = await call.gateway.runtime.act(call.path["account_id"], verb)
        return schemas.RuntimeActionResult(
            account_id=done.account.id,
            provider=done.account.provider,  # type: ignore[arg-type]
            action=verb.value,
            operation_status=done.state,
            runtime_status=done.runtime_status.value,
            runtime_error=done.error,
        )

    return handle


async def get_runtime(call: Call) -> schemas.Runtime:
    wall_time = call.gateway.supervision.wall_time
    view = await call.gateway.runtime.read_runtime(call.path["account_id"])
    state = view.state
    failures = [
        schemas.RuntimeFailure(wall_time(f.at), f.failure.kind.name.lower(), f.failure.reason)
        for f in state.recent
    ]
    return schemas.Runtime(
        account_id=view.account.id,
        runtime_status=view.status.value,
        phase=state.phase.value,
        reason=view.reason,
        since=wall_time(state.since),
        desired=state.desired.value,
        incarnations=state.incarnations,
        restarts_in_window=state.restarts_in_window,
        budget_left=state.budget_left,
        recent_failures=failures,
        sends=schemas.RuntimeSends(
            queued=view.sends.queued,
            in_progress=view.sends.in_progress,
            parallel=view.sends.slots,
            service_seconds=round(view.sends.service_seconds, 3),
            begins_in_seconds=round(view.sends.begins_in, 3),
        ),
        next_retry_at=wall_time(state.next_retry_at) or None,
        last_seen_at=None if view.last_seen_at is None else rfc3339(view.last_seen_at),
        terminal=state.terminal,
        calls=_present_calls(view),
    )


def _present_calls(view: SupervisedAccount) -> schemas.PlatformCalls | None:
    calls = view.calls
    if calls is None:
        return None
    return schemas.PlatformCalls(
        refused_in_a_row=calls.refused_since,
        last_accepted_at=None if calls.accepted_at is None else rfc3339(calls.accepted_at),
        last_refused_at=None if calls.refused_at is None else rfc3339(calls.refused_at),
        refused_because=calls.refused_because or None,
    )


async def get_explanation(call: Call) -> schemas.Explanation:
    view, found = await call.gateway.runtime.explain(call.path["account_id"])
    return schemas.Explanation(
        view.account.id, view.status.value, found.why, found.following, found.action, found.detail
    )


def _reading(operation_id: str, path: str, handler: Handler, summary: str, data: type) -> Route:
    return Route(
        operation_id,
        "GET",
        f"/v1/accounts/{{account_id}}{path}",
        handler,
        "Account Runtime",
        summary,
        "run_runtime_action_failed",
        data,
        errors=(NOT_FOUND, error(codes.NO_ADAPTER)),
        extension=True,
    )


def _route(name: str, verb: str, handler: Handler, summary: str, *, extension: bool = False) -> Route:
    return Route(
        f"{name}AccountRuntime",
        "POST",
        f"/v1/accounts/{{account_id}}/runtime/{verb}",
        handler,
        "Account Runtime",
        summary,
        "run_runtime_action_failed",
        schemas.RuntimeActionResult,
        dict,
        body_required=False,
        errors=(INVALID_REQUEST, NOT_BOUND, error(codes.NO_ADAPTER), NOT_FOUND),
        extension=extension,
    )


async def no_such_action(call: Call) -> None:
    group, action = call.path["group"], call.path["action"]
    raise UseCaseError(codes.UNSUPPORTED_ACTION, f"an account has no action {group}/{action}"[:200])


# Any other action of an account is refused by a code of its own, and is no route of the document.
UNKNOWN_ACTION = Route(
    "unsupportedAction",
    "POST",
    "/v1/accounts/{account_id}/{group:auth|runtime}/{action}",
    no_such_action,
    "Account Runtime",
    "An action that is none",
    "run_action_failed",
)

ROUTES = [
    _reading(
        "getAccountRuntime",
        "/runtime",
        get_runtime,
        "What the supervisor knows of an account",
        schemas.Runtime,
    ),
    _reading(
        "explainAccount",
        "/explain",
        get_explanation,
        "Why it is not running, what happens next, what a human must do",
        schemas.Explanation,
    ),
    _route(
        "reset",
        "reset",
        _handler(Verb.RESET),
        "Forget its failures and try again",
        extension=True,
    ),
    _route(
        "refresh",
        "refresh",
        _handler(Verb.REFRESH),
        "Read the observed status again",
    ),
    _route("start", "start", _handler(Verb.START), "Connect, if it is not connected"),
    _route("stop", "stop", _handler(Verb.STOP), "Disconnect and stay so"),
    _route(
        "reconnect",
        "reconnect",
        _handler(Verb.RECONNECT),
        "End the connection and make a new one",
    ),
]
