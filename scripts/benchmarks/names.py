"""The subjects' names, and what each does and does not do, for the report."""

OURS = "UnifyPort"
SATORI = "Satori"
NODE = "Node"
FASTAPI = "FastAPI"
ERLANG = "Erlang/OTP"
TRIOTP = "triotp"
UNDICI = "undici"
HTTPX = "httpx on trio"
SSL_STREAM = "trio.SSLStream"
NAIVE = "httpx pipeline"
BAILEYS = "Baileys"
BAILEYS_FILES = "Baileys, keys in files"

ABOUT = {
    OURS: (
        "the whole gateway, by `unifyport serve` and an ordinary configuration file",
        "signatures checked, repeats recognised, one durable commit (`synchronous = FULL`) before 200, order"
        " within a conversation both ways, signed webhooks, retries, dead letters, circuit breaker, address"
        " guard, history, sealed credentials, supervision, leases, metrics, a log line for each request",
        "-",
    ),
    SATORI: (
        "npm `@satorijs/core` with its adapters for WhatsApp and Telegram, in memory",
        "WhatsApp's signature checked by the adapter, parsing, signed webhooks, sends",
        "no store, no history, no recognition of repeats, no order, no retries, no API keys",
    ),
    NODE: (
        "Node, better-sqlite3 and undici, written here with the same semantics as ours",
        "signatures checked, repeats recognised, one durable commit (`synchronous = FULL`, group commit)"
        " before 200, order within a conversation both ways, signed webhooks, retries, dead letters, history,"
        " idempotency keys, an epoch checked in every transaction",
        "no supervision, circuit breaker, address guard, pace, quotas, media, sealing, metrics or log",
    ),
    FASTAPI: (
        "uvicorn, FastAPI, httpx and SQLite, as people would write it",
        "signatures checked, one durable commit for each step, signed webhooks, three tries",
        "no recognition of repeats, no order, no history, nothing resumes after a crash",
    ),
    ERLANG: (
        "gen_servers under simple_one_for_one supervisors, ten each, without the logger",
        "restarts of what crashed",
        "no back-off, admission, probes, history or parking",
    ),
    TRIOTP: ("gen_servers of triotp 0.2", "restarts of what crashed", "as Erlang/OTP"),
    UNDICI: ("`Pool.request`", "keep-alive, time-outs", "no address guard, no bounds on what it reads"),
    HTTPX: ("`httpx.AsyncClient` on trio", "keep-alive, time-outs", "no address guard, no bounds"),
    SSL_STREAM: (
        "`trio.SSLStream` and httptools",
        "keep-alive",
        "no pool, time-outs, bounds or address guard",
    ),
    BAILEYS: (
        "npm `baileys` 7.0.0-rc14 in Node, all devices in one process, keys in memory",
        "decrypts, acknowledges and emits an event for each message",
        "keeps nothing: no store, no webhook; a restart means linking again",
    ),
    BAILEYS_FILES: (
        "the same, with its own `useMultiFileAuthState`",
        "as above; keys and sessions are written to files",
        "no commit of keys and event together, no webhook",
    ),
    NAIVE: (
        "httpx on trio and SQLite, one commit for each step",
        "one durable commit before and after, signed webhooks",
        "no recognition of repeats, no order, no history, no retries",
    ),
}
