"""`python -m unifyport_gateway` is the command `unifyport`."""

from unifyport_gateway import main

main()
