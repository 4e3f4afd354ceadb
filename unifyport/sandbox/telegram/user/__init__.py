"""Telegram's servers as user accounts meet them: MTProto, several data centres, updates."""
