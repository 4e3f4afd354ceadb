"""The configuration file against the running state: the differences, and ending them."""

from unifyport.config.declared import Report
from unifyport.gateway import errors as codes

from .. import schemas
from ..http.errors import error
from ..http.routing import Call, Route

_INVALID = error(codes.INVALID_CONFIGURATION)
_NO_FILE = error(codes.NO_FILE)


def present_report(report: Report, *, dry_run: bool) -> schemas.Reload:
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
    report = await call.gateway.configuration.reload(dry_run=body.dry_run, prune=body.prune)
    return present_report(report, dry_run=body.dry_run)


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
