"""Benchmarks: the gateway and its peers in one run, on the same machine, doing the same job.

`wire.py` speaks HTTP as cheaply as Python can; `rig.py` plays platform, load and receiver; `subjects.py`
starts what is measured; `naive.py` is the peer; `__main__.py` runs the rounds and prints the report.
"""
