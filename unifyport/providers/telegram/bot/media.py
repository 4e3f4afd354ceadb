"""Files of the Bot API -> attachments."""

from collections.abc import Iterable

from unifyport.model.inbound import Attachment

from .shapes import File, Media

# Field -> type of the attachment, in this order: an animation also fills `document`, a live photo `photo`.
_TYPES = {
    "animation": "video",
    "live_photo": "video",
    "video": "video",
    "video_note": "video",
    "audio": "audio",
    "voice": "audio",
    "voice_note": "audio",
    "sticker": "sticker",
    "document": "document",
}


def attachment(kind: str, file: File) -> Attachment:
    return Attachment(
        type=kind,
        file_id=file.file_id,
        title=file.file_name or file.title,
        mime_type=file.mime_type,
        size=file.file_size,
        duration_ms=None if file.duration is None else file.duration * 1000,
    )


def photo(sizes: list[File]) -> list[Attachment]:
    """The largest size of a photo."""
    if not sizes:
        return []
    largest = max(sizes, key=lambda size: size.file_size or 0)
    return [Attachment("image", largest.file_id, size=largest.file_size)]


def live_photo(file: File) -> list[Attachment]:
    """The picture, if there is one, and the video."""
    return [*photo(file.photo or []), attachment("video", file)]


def attachments(several: Iterable[Media]) -> list[Attachment]:
    found = []
    for media in several:
        for field, kind in _TYPES.items():
            file: File | None = getattr(media, field)
            if file is not None:
                found += live_photo(file) if field == "live_photo" else [attachment(kind, file)]
                break
        else:
            found += photo(media.photo or [])
    return found
