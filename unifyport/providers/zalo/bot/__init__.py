"""Bots, over Zalo's Bot Platform (https://bot.zaloplatforms.com/docs)."""
