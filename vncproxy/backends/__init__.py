"""
How a target is dialled and logged in to.
"""
