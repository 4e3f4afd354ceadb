"""X's own SDK and XChat: its models judge what our connector sent, and its client asks our sandbox.

argv: the sandbox's base URL, a file of JSON lines `{"model", "value"}`, an access token of user 1111, a
conversation of it with a message. Prints one JSON line for each thing that was done.
"""

import json
import sys

from pydantic import BaseModel
from xdk import Client, schemas

base, path, token, conversation = sys.argv[1:]


def say(**line):
    print(json.dumps(line), flush=True)


def unknown(value, path=""):
    """The paths of fields that a model does not have."""
    if isinstance(value, BaseModel):
        found = [f"{path}.{name}" for name in value.model_extra or ()]
        for name in type(value).model_fields:
            found += unknown(getattr(value, name), f"{path}.{name}")
        return found
    if isinstance(value, list):
        return [each for number, item in enumerate(value) for each in unknown(item, f"{path}[{number}]")]
    return []


with open(path) as lines:
    for each in lines:
        line = json.loads(each)
        model = getattr(schemas, line["model"])
        say(judged=line["model"], unknown=unknown(model.model_validate(line["value"])))

user = Client(base_url=base, access_token=token)
page = next(iter(user.chat.get_conversation_events(conversation, max_results=5)))
say(did="events", count=len(page.data), unknown=unknown(page))
listed = next(iter(user.chat.get_conversations(max_results=5)))
say(did="conversations", ids=[each["id"] for each in map(dict, listed.data)])
group = user.chat.initialize_group()
say(did="group", id=group.data.conversation_id)
read = user.chat.mark_conversation_read(
    conversation, schemas.MarkChatConversationReadRequest(seen_until_sequence_id="2000000000000002")
)
say(did="read", success=read.data.success)
