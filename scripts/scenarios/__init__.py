"""Scenarios that put a whole gateway under stress, and measure whether limits and deliveries are kept.

`storm.py`: thousands of connections lost in one moment; `neighbours.py`: one account that crash-loops and one
that is flooded; `delivery.py`: a bad receiver and a gateway that is killed; `observed.py`: a gateway that
logs every start it admits; `front.py`: hostile callers (`hostile.py`) against the HTTP server;
`processes.py`: starts the processes of a scenario; `cloud.py`: Meta's side.
"""
