"""Providers: where accounts can be made, and what each channel can do.

Both follow from the channels' declarations.
"""

from unifyport.providers.contract.base import Channel, ConnectionSpec, Credential
from unifyport.providers.registry import PROVIDER_NAMES, Registry

from .. import schemas
from ..http.errors import ApiError, ErrorSpec
from ..http.routing import Call, Route


async def list_regions(call: Call) -> schemas.ProviderRegionsResponse:
    provider = call.path["provider"]
    if provider not in PROVIDER_NAMES:
        raise ApiError(400, "invalid_provider", f"provider: must be one of {', '.join(PROVIDER_NAMES)}")
    known = call.gateway.registry.find_channel(provider) is not None
    regions = [
        schemas.RegionAvailability(region=region, supported=known, allocatable=known)
        for region in call.gateway.settings.workspace.regions
    ]
    return schemas.ProviderRegionsResponse(provider=provider, regions=regions)  # type: ignore[arg-type]


_MESSAGE_TYPES = {
    "send_text": ["text"],
    "send_image": ["image"],
    "send_video": ["video"],
    "send_audio": ["audio"],
    "send_document": ["document", "file"],
    "send_contacts": ["contact"],
}


async def list_capabilities(call: Call) -> list[schemas.ChannelCapabilities]:
    return [_channel(call.gateway.registry, channel) for channel in call.gateway.registry.channels.values()]


def _channel(registry: Registry, channel: Channel) -> schemas.ChannelCapabilities:
    return schemas.ChannelCapabilities(
        provider=channel.name,
        aliases=list(channel.aliases),
        connections=[_connection(registry, connection) for connection in channel.connections],
    )


def _connection(registry: Registry, connection: ConnectionSpec) -> schemas.ConnectionCapabilities:
    capabilities = registry.capabilities(connection)
    return schemas.ConnectionCapabilities(
        auth_mode=connection.auth_mode,
        provider_data=[_credential(credential) for credential in connection.credentials],
        receive=list(connection.receive),
        inbound=connection.inbound.value,
        capabilities=capabilities,
        message_types=[
            kind for name, kinds in _MESSAGE_TYPES.items() if name in capabilities for kind in kinds
        ],
        max_text=connection.max_text,
        max_download=connection.max_download,
    )


def _credential(credential: Credential) -> schemas.CredentialField:
    return schemas.CredentialField(name=credential.name, required=credential.required)


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
        errors=(ErrorSpec(400, "invalid_provider"),),
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
