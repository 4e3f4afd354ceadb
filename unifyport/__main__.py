"""`python -m unifyport` is the command `unifyport`."""

from unifyport.cli import main

main()
