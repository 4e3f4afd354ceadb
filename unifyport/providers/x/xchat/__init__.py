"""XChat, the encrypted messages of X, as both connections have it: keys, opening, making, our model.

https://docs.x.com/xchat/introduction. X's library `chat_xdk` does the cryptography. What goes over the wire
otherwise is a connection's `ChatTransport`.
"""
