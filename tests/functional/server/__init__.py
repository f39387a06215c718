"""The server inside the image: its parts, and its API over a real socket."""
