"""The gateway, as its fronts see it: one object for each subject, and no actor, store or lock."""

from collections.abc import Callable

import attrs

from .accounts import AccountUseCases
from .api_keys import ApiKeyUseCases
from .callers import Callers
from .clock import ClockUseCases
from .configuration import ConfigurationUseCases
from .conversations import ConversationUseCases
from .deliveries import DeliveryUseCases
from .endpoints import EndpointUseCases
from .events import EventUseCases
from .figures import Figures
from .files import LinkedFiles, UploadUseCases
from .group_pictures import GroupPictureUseCases
from .ingress import Ingress
from .login_pages import LoginPageUseCases
from .logins import LoginUseCases
from .message_actions import MessageActionUseCases
from .platform import PlatformUseCases
from .quarantine import QuarantineUseCases
from .runtime import RuntimeUseCases, SupervisionTree
from .sends import SendUseCases
from .session_export import SessionExport
from .status import StatusUseCases
from .workspace import ProviderUseCases, WorkspaceUseCases


@attrs.frozen(kw_only=True)
class Gateway:
    """`ready`: why the gateway is not ready, or None. `log_requests`: whether each request is logged.

    `strict`: whether every request is refused that would be answered with warnings.
    """

    accounts: AccountUseCases
    logins: LoginUseCases
    login_pages: LoginPageUseCases
    runtime: RuntimeUseCases
    status: StatusUseCases
    supervision: SupervisionTree
    platform: PlatformUseCases
    group_pictures: GroupPictureUseCases
    conversations: ConversationUseCases
    sends: SendUseCases
    message_actions: MessageActionUseCases
    endpoints: EndpointUseCases
    deliveries: DeliveryUseCases
    events: EventUseCases
    api_keys: ApiKeyUseCases
    callers: Callers
    workspace: WorkspaceUseCases
    providers: ProviderUseCases
    quarantine: QuarantineUseCases
    session_export: SessionExport
    configuration: ConfigurationUseCases
    clock: ClockUseCases
    linked_files: LinkedFiles
    uploads: UploadUseCases
    ingress: Ingress
    figures: Figures
    ready: Callable[[], str | None]
    log_requests: Callable[[], bool]
    strict: Callable[[], bool]
