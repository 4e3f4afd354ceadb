"""The process: logs and their redaction, garbage collection, and the threads for the disk."""
