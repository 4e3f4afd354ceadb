"""UnifyPort: one port for WhatsApp, Telegram, LINE, TikTok, Zalo and X, self-hosted.

Nothing of the gateway depends on this file: where the official SDK is installed into the same environment,
it is the SDK's.
"""
