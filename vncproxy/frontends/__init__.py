"""
What viewers connect to. Each frontend turns what its viewers speak into a token, facts and a byte stream.
"""
