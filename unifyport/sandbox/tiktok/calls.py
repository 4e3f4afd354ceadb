"""The paths of the API: what each does for a business account, or for an app.

A handler takes the parameters of a request, from its query or its JSON body, and returns `data`.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from .contents import ACTIONS, as_webhook, check_content
from .state import ApiError, App, Business, Conversation, File
from .world import World

MAX_IMAGE = 3_000_000
LAST_MESSAGES = 20
Parameters = Mapping[str, Any]


# -- as the app ----------------------------------------------------------------------------------------------


def app_of(world: World, parameters: Parameters, key: str, secret: str) -> str:
    """The app's key. The first secret that comes with a key is its secret. Raises `ApiError`."""
    name, given = str(parameters.get(key) or ""), str(parameters.get(secret) or "")
    if not name or not given:
        raise ApiError(40002, f"{key}, {secret}: are required")
    app = world.apps.setdefault(name, App(given))
    if given.startswith("wrong") or app.secret != given:
        raise ApiError(40101, "The app_id and secret do not match")
    return name


def _exchange(world: World, parameters: Parameters) -> Any:
    app = app_of(world, parameters, "client_id", "client_secret")
    if parameters.get("grant_type") != "authorization_code" or not parameters.get("redirect_uri"):
        raise ApiError(40002, "grant_type, redirect_uri: are required")
    return world.grants.exchange(str(parameters.get("auth_code")), app)


def _refresh(world: World, parameters: Parameters) -> Any:
    app = app_of(world, parameters, "client_id", "client_secret")
    if parameters.get("grant_type") != "refresh_token":
        raise ApiError(40002, "grant_type: is required")
    return world.grants.refresh(str(parameters.get("refresh_token")), app, world.scopes)


def _revoke(world: World, parameters: Parameters) -> Any:
    app_of(world, parameters, "client_id", "client_secret")
    grant = world.grants.of_token(str(parameters.get("access_token")))
    world.grants.revoke(grant.business)
    return {}


def _webhook_update(world: World, parameters: Parameters) -> Any:
    app = world.apps[app_of(world, parameters, "app_id", "secret")]
    if parameters.get("event_type") != "DIRECT_MESSAGE" or not parameters.get("callback_url"):
        raise ApiError(40002, "event_type, callback_url: are required")
    app.callback_url = str(parameters["callback_url"])
    return {"app_id": parameters["app_id"], "callback_url": app.callback_url}


def _webhook_list(world: World, parameters: Parameters) -> Any:
    app = world.apps[app_of(world, parameters, "app_id", "secret")]
    shown = {"app_id": parameters["app_id"], "event_type": parameters.get("event_type")}
    return {**shown, "callback_url": app.callback_url} if app.callback_url else shown


OF_APPS: Mapping[str, Callable[[World, Parameters], Any]] = {
    "POST tt_user/oauth2/token/": _exchange,
    "POST tt_user/oauth2/refresh_token/": _refresh,
    "POST tt_user/oauth2/revoke/": _revoke,
    "POST business/webhook/update/": _webhook_update,
    "GET business/webhook/list/": _webhook_list,
}


# -- as a business account -----------------------------------------------------------------------------------


def _profile(world: World, business: Business, parameters: Parameters) -> Any:
    return {"username": business.username, "display_name": f"Sandbox {business.id}"}


def _send(world: World, business: Business, parameters: Parameters) -> Any:
    chat = _conversation(business, parameters, "recipient")
    if parameters.get("recipient_type") != "CONVERSATION":
        raise ApiError(40002, "recipient_type: must be CONVERSATION")
    if parameters.get("message_type") == "SENDER_ACTION":
        if parameters.get("sender_action") not in ACTIONS:
            raise ApiError(40002, f"sender_action: must be one of {', '.join(ACTIONS)}")
        business.actions.append({"conversation_id": chat.id, "action": parameters["sender_action"]})
        return {"message": {"message_id": ""}}
    check_content(parameters, world.media.keys())
    if parameters["message_type"] == "IMAGE" and not business.images:
        raise ApiError(40001, "Images are not supported between these countries")
    now = time.time_ns() // 1_000_000
    chat.admit(now)
    id_ = world.new_id("msg")
    content = {**as_webhook(parameters), "message_tag": {"source": "API"}}
    business.sent.append({**parameters, "id": id_, "at": now / 1000})
    send_echo(world, business, chat, {**content, "message_id": id_, "timestamp": now})
    return {"message": {"message_id": id_}}


def send_echo(world: World, business: Business, chat: Conversation, content: dict[str, Any]) -> None:
    """Report what the business sent: it comes for each message, whatever it was sent with."""
    whole = {
        "from": business.username,
        "to": chat.username,
        "unique_identifier": chat.customer,
        "from_user": {"id": business.id, "role": "business_account"},
        "to_user": {"id": chat.customer, "role": "personal_account"},
        "conversation_id": chat.id,
        "scene_type": 0,
        "is_follower": False,
        **content,
    }
    chat.messages.append({**whole, "out": True})
    world.report(business, "im_send_msg", whole, f"echo {content['message_id']}")


def _conversations(world: World, business: Business, parameters: Parameters) -> Any:
    kind = parameters.get("conversation_type")
    if kind not in ("SINGLE", "STRANGER"):
        raise ApiError(40002, "conversation_type: is required")
    found = [chat for chat in business.conversations.values() if chat.kind == kind]
    found.sort(key=lambda chat: -chat.last_written)
    first = int(parameters.get("cursor", 0))
    beyond = first + int(parameters.get("limit", 100))
    rows = [
        {"conversation_id": chat.id, "update_time": chat.last_written, "referral": {}}
        for chat in found[first:beyond]
    ]
    return {"conversations": rows, "has_more": beyond < len(found), "cursor": beyond}


def _messages(world: World, business: Business, parameters: Parameters) -> Any:
    chat = _conversation(business, parameters, "conversation_id")
    lines = [
        {
            "message_id": each["message_id"],
            "timestamp": each["timestamp"],
            "message_type": str(each["type"]).upper(),
            "text": each.get("text", {}),
        }
        for each in list(chat.messages)[-LAST_MESSAGES:]
    ]
    owner = {"role": "BUSINESS_ACCOUNT", "id": business.id, "display_name": f"Sandbox {business.id}"}
    person = {"role": "PERSONAL_ACCOUNT", "id": chat.customer, "display_name": chat.username}
    return {"participants": [owner, {**person, "is_follower": True}], "messages": lines}


def _capabilities(world: World, business: Business, parameters: Parameters) -> Any:
    chat = _conversation(business, parameters, "conversation_id")
    result = business.images and parameters.get("conversation_type") == chat.kind
    return {"capability_infos": [{"capability_type": "IMAGE_SEND", "capability_result": result}]}


def _download(world: World, business: Business, parameters: Parameters) -> Any:
    chat = _conversation(business, parameters, "conversation_id")
    file = world.media.get(str(parameters.get("media_id")))
    known = any(each["message_id"] == parameters.get("message_id") for each in chat.messages)
    if file is None or not known:
        raise ApiError(40007, "The media does not exist")
    return {"download_url": world.file_url(file)}


def keep_upload(world: World, parameters: Parameters, content: bytes, mime_type: str) -> Any:
    """`media/upload/`, whose parameters come in a form."""
    if parameters.get("media_type") != "IMAGE" or not content:
        raise ApiError(40002, "media_type, file: are required")
    if mime_type not in ("image/jpeg", "image/png"):
        raise ApiError(40908, "The file type is not supported")
    if len(content) > MAX_IMAGE:
        raise ApiError(40002, "file: at most 3 MB")
    file = File(world.new_id("media"), content, mime_type)
    world.media[file.id] = file
    return {"media_id": file.id}


def _conversation(business: Business, parameters: Parameters, name: str) -> Conversation:
    chat = business.conversations.get(str(parameters.get(name)))
    if chat is None:
        raise ApiError(40007 if name == "recipient" else 40002, f"Param {name} is invalid")
    return chat


OF_BUSINESSES: Mapping[str, Callable[[World, Business, Parameters], Any]] = {
    "GET business/get/": _profile,
    "POST business/message/send/": _send,
    "GET business/message/conversation/list/": _conversations,
    "GET business/message/content/list/": _messages,
    "GET business/message/capabilities/get/": _capabilities,
    "POST business/message/media/download/": _download,
}
