"""`supervisors` beside other people's supervisors, in one run: Erlang/OTP and triotp.

`ours.py`, `supervision_peer.erl` and `triotp_peer.py` do the same job, each in its own language: children
that wait for a message, and crash when it says so. `__main__.py` starts them in turn and prints the medians
side by side.
"""
