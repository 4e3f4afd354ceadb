"""X's own SDK before our sandbox, and its models before what our connector sends.

argv: the sandbox's base URL, a file of JSON lines. A line is `{"model", "value"}`: a body that was sent and
the model that it must fit, without a field that the model does not have; or `{"query"}`: the fields that
`GET /2/dm_events` was asked for. Prints one JSON line for each thing that was done.
"""

import json
import os
import sys
import threading
import typing
from urllib.parse import parse_qs, urlsplit

import requests
from pydantic import BaseModel
from xdk import Client, schemas
from xdk.direct_messages.client import DirectMessagesClient
from xdk.oauth2_auth import OAuth2PKCEAuth

base, path = sys.argv[1:]
ME, MEI = "1111", "2222"
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # on loopback


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


def literals(name):
    hints = typing.get_type_hints(DirectMessagesClient.get_events, localns=vars(typing))
    [inner] = [arm for arm in typing.get_args(hints[name]) if arm is not type(None)]
    return set(typing.get_args(typing.get_args(inner)[0]))


def judge(line):
    if "query" in line:
        for name, wanted in line["query"].items():
            known = literals(name.replace(".", "_"))
            say(judged=name, unknown=sorted(set(wanted.split(",")) - known))
        return
    model = getattr(schemas, line["model"])
    say(judged=line["model"], unknown=unknown(model.model_validate(line["value"])))


def authorize():
    """The whole flow of a consent, and a refresh."""
    auth = OAuth2PKCEAuth(
        base_url=base,
        authorization_base_url=f"{base}/i",
        client_id="client-of-the-sdk",
        client_secret="secret-of-the-sdk",
        redirect_uri="http://127.0.0.1:1/callback",
        scope=["dm.read", "dm.write", "users.read", "tweet.read", "offline.access"],
    )
    page = auth.get_authorization_url("a-state")
    back = requests.get(page, params={"login_hint": ME}, allow_redirects=False, timeout=10).headers[
        "location"
    ]
    token = auth.exchange_code(parse_qs(urlsplit(back).query)["code"][0])
    say(did="consent", token=sorted(name for name, value in token.items() if value is not None))
    refreshed = auth.refresh_token()
    say(did="refresh", rotated=refreshed["refresh_token"] != token["refresh_token"])
    return refreshed["access_token"]


with open(path) as lines:
    for each in lines:
        judge(json.loads(each))

access = authorize()
user = Client(base_url=base, access_token=access)
app = Client(base_url=base, bearer_token="bearer-of-the-sdk")

me = user.users.get_me(user_fields=["username", "name"])
say(did="me", id=me.data.id, username=me.data.username)

made = user.activity.create_subscription(
    schemas.CreateActivitySubscriptionRequest(event_type="dm.received", filter={"user_id": ME})
)
say(did="subscribe", id=bool(made.data.subscription.subscription_id), unknown=unknown(made))
pages = app.activity.get_subscriptions()
[listed] = [each for page in pages for each in page.data if each.filter.user_id == ME]
say(did="subscriptions", event_type=listed.event_type)


def follow():
    for event in app.stream.activity():
        data = event.model_dump()["data"]
        say(did="event", event_type=data["event_type"], user=data["filter"]["user_id"])
        return


listening = threading.Thread(target=follow, daemon=True)
listening.start()
say(did="listening")
listening.join(timeout=30)

hooks = app.webhooks.get()
say(did="webhooks", count=len(hooks.data or []))

sent = user.direct_messages.create_by_participant_id(
    MEI, schemas.CreateDirectMessagesByParticipantIdRequest(text="from the SDK")
)
say(did="sent", id=sent.data.dm_event_id, conversation=sent.data.dm_conversation_id)
group = user.direct_messages.create_conversation(
    schemas.CreateDirectMessagesConversationRequest(
        conversation_type="Group", participant_ids=[MEI, "3333"], message={"text": "all"}
    )
)
say(did="group", conversation=group.data.dm_conversation_id)
page = next(iter(user.direct_messages.get_events(max_results=10, expansions=["sender_id"])))
say(did="events", texts=[event.text for event in page.data], unknown=unknown(page.data))
begun = user.media.initialize_upload(
    schemas.InitializeMediaUploadRequest(
        media_category="dm_image", media_type="image/png", total_bytes=0, shared=False
    )
)
done = user.media.finalize_upload(begun.data.id)
say(did="upload", same=done.data.id == begun.data.id)
removed = app.activity.delete_subscription(listed.subscription_id)
say(did="unsubscribed", deleted=removed.data.deleted)
