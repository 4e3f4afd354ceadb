"""The routes, one module per group of the contract."""
