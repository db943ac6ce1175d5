"""
Tokens: the rules of what one is worth (pure), and the authority that keeps them in a store.
"""
