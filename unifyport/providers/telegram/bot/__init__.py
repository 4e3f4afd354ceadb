"""Telegram bots, over the Bot API (https://core.telegram.org/bots/api)."""
