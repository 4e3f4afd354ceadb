"""The published libraries of Standard Webhooks as receivers: do they accept what was sent?

One JSON object a line on stdin: headers, body (base64), secret (as people enter it), raw (whether it is the
key itself). One a line on stdout: for each library "accepted", or why not.
"""

import base64
import json
import sys

import standardwebhooks
import svix.webhooks

LIBRARIES = {
    "standardwebhooks": (standardwebhooks.Webhook, standardwebhooks.WebhookVerificationError),
    "svix": (svix.webhooks.Webhook, svix.webhooks.WebhookVerificationError),
}


def judge(library, line):
    webhook, refusal = LIBRARIES[library]
    secret = line["secret"].encode() if line["raw"] else line["secret"]
    try:
        webhook(secret).verify(base64.b64decode(line["body"]), line["headers"])
    except refusal as error:
        return str(error)
    return "accepted"


for text in sys.stdin:
    line = json.loads(text)
    print(json.dumps({library: judge(library, line) for library in LIBRARIES}), flush=True)
