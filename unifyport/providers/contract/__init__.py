"""The contract between a connector and the gateway."""
