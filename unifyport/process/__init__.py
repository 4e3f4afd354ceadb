"""The process: its logs and what they may say, memory, and the threads that touch the disk."""
