"""The configuration file against the running state: the differences, and ending them."""

from unifyport.config.declared import Report
from unifyport.gateway.gateway import NoFile
from unifyport.model.structuring import Problems

from .. import schemas
from ..http.errors import ApiError, ErrorSpec
from ..http.routing import Call, Route

_INVALID = ErrorSpec(400, "invalid_configuration")
_NO_FILE = ErrorSpec(409, "no_configuration_file")


def _show(report: Report, *, dry_run: bool) -> schemas.Reload:
    return schemas.Reload(
        dry_run=dry_run,
        differences=[
            schemas.Difference(d.kind, d.name, d.action.value, list(d.fields))
            for d in report.plan.differences
        ],
        options=report.options,
        needs_restart=report.needs_restart,
        policies_changed=report.policies_changed,
        left=report.left,
    )


async def reload(call: Call) -> schemas.Reload:
    body = call.body
    try:
        report = await call.gateway.reloader().reload(dry_run=body.dry_run, prune=body.prune)
    except NoFile:
        raise ApiError(409, _NO_FILE.code, "this server was started without a configuration file") from None
    except Problems as wrong:
        text = "nothing was changed: " + "; ".join(wrong.problems)
        raise ApiError(400, _INVALID.code, text, problems=wrong.problems) from None
    return _show(report, dry_run=body.dry_run)


ROUTES = [
    Route(
        "reloadConfiguration",
        "POST",
        "/v1/reload",
        reload,
        "Configuration",
        "Read the configuration file again and bring the running state to it, or (dry_run) only compare",
        "reload_configuration_failed",
        schemas.Reload,
        schemas.ReloadRequest,
        body_required=False,
        errors=(_INVALID, _NO_FILE),
        extension=True,
    )
]
