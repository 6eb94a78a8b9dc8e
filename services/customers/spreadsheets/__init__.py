"""Files of customers for people, written in processes of their own."""
