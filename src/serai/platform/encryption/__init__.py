"""Keys and what they protect: sealed secrets, encrypted objects, signatures.

A master key from outside the database wraps data keys, which lie in it; data keys seal.
"""
