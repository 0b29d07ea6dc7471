# What the tests need of python-hl7 0.4.5.
class Container:
    def __getitem__(self, index: int) -> Container: ...
    def __len__(self) -> int: ...

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
