class Message:
    name: str
    version: str
