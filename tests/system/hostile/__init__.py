"""Raw messages that clients and replicas should not send, or that few send, as tables of data."""
