"""The server as real processes: killed, stopped, and two on one volume."""
