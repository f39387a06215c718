"""The inputs about load balancer and scaling."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from model_dockerize.patterns import pattern
from model_dockerize.settings.input import Input


@dataclass(frozen=True)
class Traffic:
    """Load balancer and number of tasks."""

    TITLE: ClassVar = "Load balancer and scaling"

    load_balancer: Annotated[
        str,
        Input(
            "Reach the model by an application load balancer, which costs money all the time: true makes one "
            "of its own, a name or ARN takes one that is there.",
            rule=pattern(
                r"true|false|[A-Za-z0-9-]{1,32}|arn:aws[a-z-]*:elasticloadbalancing:\S+:loadbalancer/app/\S+",
                "true, false, or the name or ARN of an application load balancer",
            ),
        ),
    ] = "false"
    load_balancer_port: Annotated[
        int, Input("Port on which the load balancer answers for the model. 0: 80, or 443 with a certificate.", least=0)
    ] = 0
    certificate: Annotated[
        str,
        Input(
            "ARN of the ACM certificate with which the load balancer answers by HTTPS.",
            rule=pattern(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+", "the ARN of a certificate in ACM"),
            may_end=True,
        ),
    ] = ""
    max_count: Annotated[
        int,
        Input(
            "Let ECS run up to this many tasks when they are busy, and desired-count at least. 0: always "
            "desired-count.",
            least=0,
        ),
    ] = 0
    scale_on_cpu: Annotated[
        int, Input("Average CPU use of the tasks, in percent, that scaling with max-count aims at.")
    ] = 60
