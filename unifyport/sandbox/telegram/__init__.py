"""Telegram's platforms on loopback."""
