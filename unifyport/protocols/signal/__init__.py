"""The Signal protocol, version 3, as WhatsApp's linked devices speak it: sessions (X3DH and double ratchet)
and sender keys.

Without I/O and without state of its own: records are immutable values that the caller loads, passes in, and
commits. What is public: `sessions`, `sender_keys`, `record`, `keys`, `messages`, `errors`.
"""
