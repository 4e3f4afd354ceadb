"""What X's web application and a browser say of themselves, as of 2026-08-21
(https://github.com/mautrix/twitter, `headers.go`). Both may be configured: X replaces them without notice.
"""

# Not a secret: it is in the script of https://x.com, and the same for everybody.
WEB_BEARER = (
    "AAAAAAAAAAAAAAAAAAAAANRILgAAAAAAnNwIzUejRCOuH5E6I8xnZz4puTs%3D1Zv7ttfk8LF81IUq16cHjhLTvJu4FA33AGWWjCpTnA"
)
WEB_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
