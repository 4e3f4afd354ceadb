"""Files of the played X: uploads in chunks, and files of messages."""

import base64
from typing import Any

from quart import Response, request

from .state import Directory, File, Problem, forbidden, invalid, not_found

_TYPES = ("image/", "video/")
_LARGEST = {"dm_image": 5 * 1024 * 1024, "dm_gif": 15 * 1024 * 1024, "dm_video": 512 * 1024 * 1024}


class Files:
    """`processing`: how often the status of a video is asked for until it is processed."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.processing = 1
        self.fails = False  # the next video cannot be processed

    async def initialize(self, user: str) -> Any:
        body = await request.get_json(silent=True)
        if not isinstance(body, dict) or set(body) - {
            "media_type",
            "total_bytes",
            "media_category",
            "shared",
        }:
            raise invalid("the body has unknown fields")
        kind, category = str(body.get("media_type", "")), str(body.get("media_category", ""))
        if not kind.startswith(_TYPES) or category not in _LARGEST:
            raise invalid(f"$.media_type: {kind} is none")
        if int(body["total_bytes"]) > _LARGEST[category]:
            raise invalid("$.total_bytes: the file is too large")
        id_ = self._directory.new_id()
        self._directory.files[id_] = File(user, kind, category, int(body["total_bytes"]))
        return {"data": {"id": id_, "media_key": f"13_{id_}", "expires_after_secs": 86400}}

    async def append(self, user: str, media: str) -> Any:
        form, files = await request.form, await request.files
        file = self._own(user, media)
        piece = files.get("media")
        if piece is None or form.get("segment_index") != str(len(file.pieces)):
            raise invalid("segment_index and media are required")
        file.pieces.append(piece.stream.read())
        return {"data": {"expires_at": 1}}

    async def finalize(self, user: str, media: str) -> Any:
        file = self._own(user, media)
        if len(file.content) != file.total:
            raise invalid("the segments do not add up to total_bytes")
        return self._described(media, file)

    async def status(self, user: str) -> Any:
        media = request.args.get("media_id", "")
        file = self._own(user, media)
        file.checks += 1
        return self._described(media, file)

    def _described(self, media: str, file: File) -> Any:
        shown: dict[str, Any] = {"id": media, "media_key": f"13_{media}", "size": file.total}
        file.done = file.category != "dm_video" or file.checks >= self.processing
        if not file.done:
            shown["processing_info"] = {"state": "in_progress", "check_after_secs": 1, "progress_percent": 50}
        elif self.fails:
            shown["processing_info"] = {"state": "failed"}
        return {"data": shown}

    def _own(self, user: str, media: str) -> File:
        file = self._directory.files.get(media)
        if file is None or file.owner != user:
            raise invalid("media_id: there is no such file")
        return file

    def used_in(self, user: str, attachments: Any) -> tuple[str, File] | None:
        """The file that a message names. Raises `Problem`."""
        if attachments is None:
            return None
        if not isinstance(attachments, list) or len(attachments) != 1 or set(attachments[0]) != {"media_id"}:
            raise invalid("attachments: one media_id is allowed")
        id_ = attachments[0]["media_id"]
        file = self._own(user, id_)
        if not file.done:
            raise invalid("attachments: the file is not processed yet")
        return id_, file

    def keep(self, owner: str, order: dict[str, Any]) -> tuple[str, File]:
        """A file of a customer: `{type: photo|video|animated_gif, content (base64), mime_type}`."""
        if order.get("type") not in ("photo", "video", "animated_gif"):
            raise ValueError("media.type: must be one of photo, video, animated_gif")
        try:
            content = base64.b64decode(order["content"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise ValueError("media.content: must be base64") from None
        usual = "image/jpeg" if order["type"] == "photo" else "video/mp4"
        kind = "dm_image" if order["type"] == "photo" else f"dm_{order['type'].removeprefix('animated_')}"
        file = File(owner, str(order.get("mime_type", usual)), kind, len(content), [content], True)
        id_ = self._directory.new_id()
        self._directory.files[id_] = file
        return id_, file

    async def of_message(self, user: str, dm: str, media: str, name: str) -> Response:
        """The file of a message, for members of its conversation."""
        for event in self._directory.events:
            if event["id"] == dm and media in self._directory.files:
                if user not in self._directory.members[event["dm_conversation_id"]]:
                    raise forbidden("You are not a member of this conversation.")
                file = self._directory.files[media]
                return Response(file.content, 200, content_type=file.media_type)
        raise not_found(f"media {media} of {dm}")

    async def public(self, media: str, name: str) -> Response:
        """A video, which needs no token."""
        file = self._directory.files.get(media)
        if file is None:
            return Problem(404, "Not Found", "there is no such file").response()
        return Response(file.content, 200, content_type=file.media_type)
