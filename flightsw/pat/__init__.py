"""Pointing, acquisition and tracking."""
