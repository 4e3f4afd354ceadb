"""Links that need no API key: what they refer to is sealed into them."""
