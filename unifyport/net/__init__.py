"""How the gateway reaches out: the address guard, name look-ups, the one factory of HTTP clients,
and connections.
"""
