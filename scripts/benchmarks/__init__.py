"""Benchmarks: the gateway and its peers in one run, on the same machine, doing the same job.

`wire.py` is a minimal, cheap HTTP; `rig.py` plays platform, load and receiver; `subjects.py` starts the
subjects; `naive.py` is the peer; `__main__.py` runs the rounds and prints the report.
"""
