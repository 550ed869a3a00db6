"""The demonstration: the whole chain on embedded servers, with a report."""
