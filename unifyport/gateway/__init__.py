"""Use cases without HTTP: what the API, the command line and the configuration file call."""
