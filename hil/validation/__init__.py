"""Every model held against closed forms and published figures; `suite` runs the checks, one module a group has them.

The compiled loops here are not cached: a cache knows of its own file alone, and would go on checking a model that has
been changed since.
"""
