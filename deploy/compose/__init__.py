"""What only containers need: keys and configuration in volumes, jobs on a timer, a health check."""
