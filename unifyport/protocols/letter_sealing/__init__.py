"""LINE's Letter Sealing without I/O: keys, messages of users and groups, key chains, files.

Values in, values out; which keys to fetch and to store is the caller's business. What is public: `keys`,
`messages`, `chunks`, `content`, `group_keys`, `key_chain`, `files`, `errors`. Both roles are here: what a
client seals, a client opens; `seal_key_chain` is the part of the phone.
"""
