"""Providers: where accounts can be made, and what each channel can do.

Both follow from the channels' declarations.
"""

from unifyport.gateway import errors as codes
from unifyport.providers.contract.base import Channel, ConnectionSpec, Credential
from unifyport.providers.registry import Registry

from .. import schemas
from ..http.errors import error
from ..http.routing import Call, Route


async def list_regions(call: Call) -> schemas.ProviderRegionsResponse:
    provider = call.path["provider"]
    names, modes = call.gateway.providers.list_regions(provider)
    known = bool(modes)
    by_mode = [
        schemas.AuthModeAvailability(auth_mode=mode, supported=mode in modes, allocatable=mode in modes)
        for mode in _AUTH_MODES
    ]
    regions = [
        schemas.RegionAvailability(region=region, supported=known, allocatable=known, auth_modes=by_mode)
        for region in names
    ]
    return schemas.ProviderRegionsResponse(provider=provider, regions=regions)  # type: ignore[arg-type]


_AUTH_MODES = ("token", "qrcode", "code", "session")
_MESSAGE_TYPES = {
    "send_text": ["text"],
    "send_image": ["image"],
    "send_video": ["video"],
    "send_audio": ["audio"],
    "send_document": ["document", "file"],
    "send_contacts": ["contact"],
}


async def list_capabilities(call: Call) -> list[schemas.ChannelCapabilities]:
    registry = call.gateway.providers.registry
    return [_present_channel(registry, channel) for channel in registry.channels.values()]


def _present_channel(registry: Registry, channel: Channel) -> schemas.ChannelCapabilities:
    return schemas.ChannelCapabilities(
        provider=channel.name,
        aliases=list(channel.aliases),
        connections=[_present_connection(registry, connection) for connection in channel.connections],
    )


def _present_connection(registry: Registry, connection: ConnectionSpec) -> schemas.ConnectionCapabilities:
    capabilities = registry.capabilities(connection)
    return schemas.ConnectionCapabilities(
        auth_mode=connection.auth_mode,
        provider_data=[_present_credential(credential) for credential in connection.credentials],
        receive=list(connection.receive),
        inbound=connection.inbound.value,
        capabilities=capabilities,
        message_types=[
            kind for name, kinds in _MESSAGE_TYPES.items() if name in capabilities for kind in kinds
        ],
        max_text=connection.max_text,
        max_download=connection.max_download,
        max_upload=dict(connection.max_upload) or None,
        window_hours=connection.window_hours,
        can_start_conversation=connection.can_start_conversation,
        receipts=list(connection.receipts),
        experimental=connection.experimental,
    )


def _present_credential(credential: Credential) -> schemas.CredentialField:
    return schemas.CredentialField(name=credential.name, required=credential.required, app=credential.app)


ROUTES = [
    Route(
        "listProviderRegions",
        "GET",
        "/v1/providers/{provider}/regions",
        list_regions,
        "Providers",
        "Where accounts of a provider can be made",
        "list_provider_regions_failed",
        schemas.ProviderRegionsResponse,
        errors=(error(codes.INVALID_PROVIDER),),
    ),
    Route(
        "listCapabilities",
        "GET",
        "/v1/capabilities",
        list_capabilities,
        "Providers",
        "What each channel can do, by its connections",
        "list_capabilities_failed",
        list[schemas.ChannelCapabilities],
        extension=True,
    ),
]
