#!/usr/bin/env python3
"""main_b.py under its other name."""

from main_b import main

if __name__ == "__main__":
    main()
