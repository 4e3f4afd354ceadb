"""`supervisors` beside Erlang/OTP and triotp, in one run.

`ours.py`, `supervision_peer.erl` and `triotp_peer.py` do the same job: children that wait for a message, and
crash on the message "crash". `__main__.py` starts them in turn and prints the medians side by side.
"""
