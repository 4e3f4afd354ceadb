"""Upheavals of a whole gateway, measured: what happens to everybody else, and what is kept to.

`storm.py`: thousands of connections lost in one moment; `neighbours.py`: one account that crash-loops and one
that floods; `observed.py`: a gateway that writes down every start it admits; `processes.py`: starting what
takes part.
"""
