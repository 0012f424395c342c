"""What people read: figures."""
