"""Files that customers send to an account, and files that an account sends."""
