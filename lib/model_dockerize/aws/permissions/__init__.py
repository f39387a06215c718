"""The policies that a role needs for what the other packages call."""
