"""Apps that people let act for them, and services that act for themselves (SMART App Launch 2.2,
OAuth 2.0, OpenID Connect): who they are, what was allowed, what was issued."""
