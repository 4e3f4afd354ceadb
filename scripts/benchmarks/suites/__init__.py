"""The suites, in the order in which a round measures them."""
