"""TikTok's platforms on loopback."""
