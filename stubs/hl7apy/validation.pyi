from hl7apy.core import Message

class Validator:
    @staticmethod
    def validate(element: Message, reference: object = None, report_file: str | None = None) -> bool: ...
