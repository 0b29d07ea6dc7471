# What Liaison and its tests need of python-hl7 0.4.5.
from collections.abc import Iterator

class HL7Exception(Exception): ...

class Container:
    def __getitem__(self, index: int) -> Container: ...
    def __len__(self) -> int: ...

class Segment(Container): ...

class Batch(Container):
    header: Segment | None
    def __iter__(self) -> Iterator[Message]: ...

class File(Container):
    header: Segment | None
    def __getitem__(self, index: int) -> Batch: ...

class Message(Container):
    def extract_field(
        self,
        segment: str,
        segment_num: int = ...,
        field_num: int = ...,
        repeat_num: int = ...,
        component_num: int = ...,
        subcomponent_num: int = ...,
    ) -> str | None: ...

def parse(lines: str) -> Message: ...
def parse_file(lines: str) -> File: ...
