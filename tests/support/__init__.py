"""What tests stand on: real servers, a service with its database, tokens."""
