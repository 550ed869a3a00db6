"""Promotion: requests in, decisions out, alias and deployment moved as decided."""
