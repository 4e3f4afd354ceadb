"""How the gateway reaches out: the address guard, name look-ups, and the one factory of HTTP clients."""
