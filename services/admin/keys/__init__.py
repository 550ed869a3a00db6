"""API keys: who may ask the admin service for what."""
