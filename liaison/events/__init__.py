"""The normalised event: its types, its data, the CloudEvents envelope, JSON Schema and AsyncAPI. Pure."""
