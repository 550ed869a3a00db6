"""The local servers: found or built, started on loopback, waited for, stopped."""
