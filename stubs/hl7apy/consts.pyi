class VALIDATION_LEVEL:
    STRICT: int
    TOLERANT: int
