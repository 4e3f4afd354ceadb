"""Personal accounts of Telegram, over MTProto (https://core.telegram.org/api).

Telethon is the codec of the API: its classes of TL objects, its arithmetic of passwords, its update box. It
takes 30 MB, so only modules that a connected account needs import it; `connector.py` does not.
"""
