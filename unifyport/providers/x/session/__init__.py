"""A user of X by the session of a browser: XChat over GraphQL and the chat socket. Experimental.

It is not an API that X offers to programs. What it needs to know of the web application changes without
notice and is configuration (`Endpoints`); wire facts are those of https://github.com/mautrix/twitter.
"""
