"""What keeps running: inference, promotion, the local servers, the demo and the command line."""
