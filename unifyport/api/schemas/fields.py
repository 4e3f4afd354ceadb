"""What a field of a request may hold, as the OpenAPI document says it. The routes' handlers check the same.

`Text` is one line of some length; an id is one as well, whatever its platform makes of it.
"""

from typing import Annotated, get_args

from msgspec import Meta

from unifyport.model.event import ALL_EVENTS, EventType
from unifyport.model.texts import PATTERN

from .common import ProviderName

Id = Annotated[str, Meta(min_length=1, max_length=512, pattern=PATTERN)]
Ids = Annotated[list[Id], Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=PATTERN)]
FileName = Annotated[str, Meta(min_length=1, max_length=1000)]
LabelName = Annotated[str, Meta(min_length=1, max_length=256, pattern=PATTERN)]
GroupName = Annotated[str, Meta(min_length=1, max_length=100, pattern=PATTERN)]
KeyPrefix = Annotated[str, Meta(pattern="^([A-Za-z0-9][A-Za-z0-9_]{0,31})?$")]
Note = Annotated[str, Meta(max_length=4096)]
Secret = Annotated[str, Meta(max_length=1024, pattern=r"^$|[^\s\u001c-\u001f\u0085]")]  # not only white space
Answer = Annotated[str, Meta(min_length=1, max_length=256, pattern=PATTERN)]
PasskeyAnswer = Annotated[str, Meta(min_length=1, max_length=16_384, pattern=PATTERN)]
Emoji = Annotated[str, Meta(max_length=64)]
MessageText = Annotated[str, Meta(max_length=65_536)]
NewText = Annotated[str, Meta(min_length=1, max_length=65_536)]
CardField = Annotated[str, Meta(max_length=1000)]
NeededCardField = Annotated[str, Meta(min_length=1, max_length=1000)]
HookUrl = Annotated[str, Meta(max_length=2048, extra_json_schema={"format": "uri"})]
HttpsUrl = Annotated[str, Meta(max_length=4096, pattern="^https://", extra_json_schema={"format": "uri"})]
ConversationType = Annotated[str, Meta(extra_json_schema={"enum": ["user", "group", "channel"]})]
EndpointStatus = Annotated[str, Meta(extra_json_schema={"enum": ["active", "inactive"]})]
ProviderText = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(ProviderName))})]
Receive = Annotated[str, Meta(extra_json_schema={"enum": ["poll", "webhook"]})]
MediaFetch = Annotated[str, Meta(extra_json_schema={"enum": ["on_link", "on_receive", "default"]})]
Subscription = Annotated[str, Meta(extra_json_schema={"enum": [ALL_EVENTS, *map(str, EventType)]})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Duration = Annotated[int, Meta(ge=0, le=100 * 365 * 86_400)]
Uint32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
MessageNumber = Annotated[int, Meta(ge=1, le=2**53 - 1)]  # in place of an id that consists of digits
