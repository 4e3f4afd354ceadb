"""The server's side of XChat, which the played API v2 and the played web share."""
