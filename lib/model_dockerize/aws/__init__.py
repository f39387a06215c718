"""AWS, a package a service. Every `ensure_` reads, compares, and changes only what differs."""
