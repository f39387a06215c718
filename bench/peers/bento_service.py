"""BentoML, serving the same function: bentoml serve bento_service:Double --port PORT"""

import bentoml


@bentoml.service(workers=1)
class Double:
    @bentoml.api
    def double(self, value: int) -> int:
        return 2 * value
