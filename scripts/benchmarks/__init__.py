"""Benchmarks: the gateway and its peers in one run, on the same machine, doing the same job.

`__main__.py` is the command: it runs the rounds of the `suites/` and writes the report.

    suites/      what is measured, a module each; `services.py` has what those of whole services share
    peers.py     the services, and how they are started; `gateway.py` starts ours, `install.py` gets what the
                 others need. `node/`, `python/`, `supervision/` and `delivery/` are the measured programs
    rig.py       the load: callers, platforms (`platforms.py`) and receiver, on a small HTTP (`loop.py`);
                 `traffic.py` makes the requests, `tracker.py` checks what arrived
    report.py    the report, from `results.py` alone; `goals.py` judges, `names.py` tells what the subjects do
    wire.py      a minimal HTTP on trio, for the scenarios
"""
