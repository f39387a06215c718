"""AWS: every `ensure_` reads, compares, and changes only what differs."""
