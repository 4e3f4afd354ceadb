"""What `suites/supervision.py` starts: `ours.py`, `supervision_peer.erl` and `triotp_peer.py`.

They do the same job: children that wait for a message, and crash on the message "crash".
"""
