"""Links that need no key: what they refer to is sealed into them."""
