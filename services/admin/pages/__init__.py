"""Pages for people, in the process of the API; nothing on them comes from another host."""
