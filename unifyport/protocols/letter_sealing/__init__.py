"""LINE's Letter Sealing without I/O: keys, messages of users and groups, key chains, files.

Values in, values out; the caller decides which keys to fetch and to store. Public modules: `keys`,
`messages`, `chunks`, `content`, `group_keys`, `key_chain`, `files`, `errors`. Both roles are here: a client
seals and opens; `seal_key_chain` is the part of the phone.
"""
