"""From an ephemeris product to the angles that a terminal points at."""
