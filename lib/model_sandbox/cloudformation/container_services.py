"""The cluster of ECS and the log group."""

from model_sandbox.cloudformation.resource import (
    InvalidPropertyError,
    Properties,
    Resource,
    lost_tags,
    tag_list,
)

#: Source: PutRetentionPolicy in the API reference of CloudWatch Logs.
_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)
_RETENTION_YEARS = (1096, 1827, 2192, 2557, 2922, 3288, 3653)


class Cluster(Resource):
    properties = ("ClusterName", "Tags")
    replacing = ("ClusterName",)

    def _make(self, name: str, properties: Properties) -> str:
        own = str(properties.get("ClusterName") or name)
        self._client("ecs").create_cluster(clusterName=own, tags=_lower(tag_list(properties)))
        return own

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        arn = self._attributes(identity, new)["Arn"]
        if gone := lost_tags(old, new):
            self._client("ecs").untag_resource(resourceArn=arn, tagKeys=gone)
        if tag_list(new) != tag_list(old):
            self._client("ecs").tag_resource(resourceArn=arn, tags=_lower(tag_list(new)))

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        return {"Arn": self._client("ecs").describe_clusters(clusters=[identity])["clusters"][0]["clusterArn"]}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("ecs").delete_cluster(cluster=identity)


def _lower(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in tags]


class LogGroup(Resource):
    properties = ("LogGroupName", "RetentionInDays", "Tags")
    replacing = ("LogGroupName",)

    def _check(self, properties: Properties) -> None:
        super()._check(properties)
        days = properties.get("RetentionInDays")
        if days is not None and int(days) not in (*_RETENTION_DAYS, *_RETENTION_YEARS):
            raise InvalidPropertyError(
                f"Properties validation failed: #/RetentionInDays: #: {days} is not a valid enum value"
            )

    def _make(self, name: str, properties: Properties) -> str:
        own = str(properties.get("LogGroupName") or name)
        tags = {tag["Key"]: tag["Value"] for tag in tag_list(properties)}
        self._client("logs").create_log_group(logGroupName=own, **({"tags": tags} if tags else {}))
        return own

    def _settle(self, identity: str, old: Properties, new: Properties) -> None:
        logs = self._client("logs")
        now, then = new.get("RetentionInDays"), old.get("RetentionInDays")
        if now is None and then is not None:
            logs.delete_retention_policy(logGroupName=identity)
        elif now is not None and now != then:
            logs.put_retention_policy(logGroupName=identity, retentionInDays=int(now))
        if not old:
            return
        arn = self._attributes(identity, new)["Arn"].removesuffix(":*")
        if gone := lost_tags(old, new):
            logs.untag_resource(resourceArn=arn, tagKeys=gone)
        if tag_list(new) != tag_list(old):
            logs.tag_resource(resourceArn=arn, tags={tag["Key"]: tag["Value"] for tag in tag_list(new)})

    def _attributes(self, identity: str, properties: Properties) -> dict[str, str]:
        del properties
        every = self._client("logs").describe_log_groups(logGroupNamePrefix=identity)["logGroups"]
        return {"Arn": next(group["arn"] for group in every if group["logGroupName"] == identity)}

    def delete(self, identity: str, properties: Properties) -> None:
        del properties
        self._client("logs").delete_log_group(logGroupName=identity)
