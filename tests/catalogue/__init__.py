"""The catalogue of events: a run that makes every event type and message kind, and the page about it."""
